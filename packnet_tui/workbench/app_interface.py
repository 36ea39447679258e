"""What screens and widgets may use of the application, so that none of them imports it. Never imports torch."""

from pathlib import Path

from packnet_core.schema.commands import Command
from packnet_tui.state.marks import Marks
from packnet_tui.state.picture import Picture
from packnet_tui.workbench.actions import Action
from packnet_tui.workbench.key_queue import KeyQueue


class AppInterface(KeyQueue):
    """The application as screens and widgets see it: they annotate `app: AppInterface`; `PacknetApp` implements it.

    A base class, not a Protocol: what they use of Textual's App belongs to it too.
    """

    path: Path  # of the pack file
    readonly: bool
    held: bool  # what happens is not drawn
    actions: tuple[Action, ...]  # with the person's own keys
    marks: Marks
    picture: Picture
    ratio: float  # the pruning ratio in hand, 0 to 1

    def hold(self, held: bool) -> None:
        """Stop drawing what happens, or resume it."""
        raise NotImplementedError

    def submit(self, command: Command) -> None:
        """Send a command to the engine; all but an evaluation stop the previews."""
        raise NotImplementedError

    def stop_previews(self) -> None:
        """Stop the previews that run or wait."""
        raise NotImplementedError

    def stop_job(self, job: int) -> None:
        """Stop a job that runs, or take one that waits out of the queue."""
        raise NotImplementedError
