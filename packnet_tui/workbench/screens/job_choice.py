"""The dialog that lists the running and waiting jobs, to choose one to stop."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from packnet_core.schema.commands import summary
from packnet_tui.state.picture import Picture
from packnet_tui.workbench.screens.choice import Choice


class JobChoice(Choice[int]):
    """Returns the number of the job chosen, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("x", "choose")]

    def __init__(self, picture: Picture):
        job = picture.job
        rows = [(job.number, "runs", job.command)] if job else []
        rows += [(number, "waits", command) for number, command in picture.queue]
        lines = [(str(n), f"{n:>4}  {state:5}  {summary(command)}") for n, state, command in rows]
        super().__init__("Jobs", lines, "enter or x stops the chosen one   esc closes")

    def chosen(self, name: str) -> int:
        return int(name)
