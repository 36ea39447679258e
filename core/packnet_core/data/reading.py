"""How images are read for a job: what a damaged one means, and whether the job is asked to stop. Needs no torch."""

from collections.abc import Callable
from dataclasses import dataclass, field


def _never() -> None:
    pass


@dataclass
class Reading:
    """How images are read.

    A damaged image raises RequestError; with `skip` it is left out, and its name is added to `damaged`. With `early`,
    damaged images are looked for before training. `check_stop` is called between images and batches; it raises
    Stopped if the job is asked to stop.
    """

    skip: bool = False
    early: bool = False
    check_stop: Callable[[], None] = _never
    damaged: dict[str, None] = field(default_factory=dict)  # what is wrong with each image that was left out
