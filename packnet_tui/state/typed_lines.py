"""The lines that this user typed after `:`, kept between sessions."""

from packnet_core.schema.text import printable
from packnet_tui.state.kept import keep, kept

FILE, KEPT = "typed.txt", 200


def typed_lines() -> list[str]:
    """The lines, the oldest first; none if there are none or they can't be read."""
    return [printable(line) for line in kept(FILE).decode("utf-8", "replace").split("\n") if line][-KEPT:]


def keep_line(line: str) -> None:
    """Add a line as the newest, in place of the same line before."""
    lines = [*(other for other in typed_lines() if other != line), line][-KEPT:]
    keep(FILE, "\n".join(lines).encode("utf-8", "replace"))
