"""The order in which to add tasks: the hardest first (§5.1). Needs no torch; `jobs/hardness` measures."""

from collections.abc import Iterable

from packnet_core.schema.events import Hardness


def hardest_first(found: Iterable[Hardness]) -> list[Hardness]:
    """Sort by `ordering_error`, the largest first; ties keep their order."""
    return sorted(found, key=lambda hardness: -hardness.ordering_error)
