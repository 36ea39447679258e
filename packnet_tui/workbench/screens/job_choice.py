"""The dialog that lists the running and waiting jobs, to choose one to stop."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from packnet_tui.state.format import short_summary
from packnet_tui.state.picture import Picture
from packnet_tui.workbench.app_interface import AppInterface
from packnet_tui.workbench.screens.choice import Choice


class JobChoice(Choice[int]):
    """Returns the number of the job chosen, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("x", "choose", "stop the marked job")]

    ABOUT = "The running job and those that wait, in their order. A waiting job is removed at once."
    app: AppInterface

    def __init__(self, picture: Picture):
        super().__init__("Jobs", job_lines(picture), "enter or x stops the chosen one   esc closes")

    def redraw(self) -> None:
        """Show the jobs that run and wait now; close if all have ended, once no other screen is above."""
        lines = job_lines(self.app.picture)
        if lines and self.is_mounted:
            self.show_lines(lines)
        elif not lines and self.is_active:  # else the screen above would be closed in its place
            self.app.notify("all jobs have ended")
            self.dismiss(None)

    def on_screen_resume(self) -> None:
        self.redraw()

    def chosen(self, name: str) -> int:
        return int(name)


def job_lines(picture: Picture) -> list[tuple[str, str]]:
    """The number of each job and its line: the running one, then those that wait."""
    job = picture.job
    rows = [(job.number, "runs", job.command)] if job else []
    rows += [(number, "waits", command) for number, command in picture.queue]
    return [(str(n), f"{n:>4}  {state:5}  {short_summary(command)}") for n, state, command in rows]
