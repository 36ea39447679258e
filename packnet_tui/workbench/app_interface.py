"""The part of the application that screens and widgets use, so that none of them imports it. Never imports torch."""

from collections.abc import Sequence
from pathlib import Path

from packnet_core.schema.commands import Command
from packnet_tui.state.look import Look
from packnet_tui.state.marks import Marks
from packnet_tui.state.picture import Picture
from packnet_tui.workbench.actions import Action
from packnet_tui.workbench.key_queue import KeyQueue
from packnet_tui.workbench.open_file import OpenFile


class AppInterface(KeyQueue):
    """The application as screens and widgets see it: they annotate `app: AppInterface`; `PacknetApp` implements it.

    It is a base class and not a Protocol, since they also use Textual's App.
    """

    files: Sequence[OpenFile]
    here: OpenFile  # the one that is shown
    readonly: bool
    held: bool  # whether news are not drawn
    actions: tuple[Action, ...]  # with the user's own keys
    marks: Marks
    picture: Picture
    look: Look  # theme and layout, kept between sessions
    left_in_forms: dict[tuple[str, str], dict[str, str]]  # what was typed and not sent, by file and title

    @property
    def path(self) -> Path:
        """The path of the pack file that is shown."""
        return self.here.path

    @property
    def ratio(self) -> float:
        """The pruning ratio chosen last for this file, 0 to 1."""
        return self.here.ratio

    @ratio.setter
    def ratio(self, ratio: float) -> None:
        self.here.ratio = ratio

    @property
    def few_colours(self) -> bool:
        """Whether the terminal has only sixteen colours."""
        raise NotImplementedError

    def remember(self, look: Look) -> None:
        """Keep theme and layout for the next session; returns at once."""
        raise NotImplementedError

    def show(self) -> None:
        """Draw the newest picture."""
        raise NotImplementedError

    def go_to(self, file: OpenFile) -> None:
        """Show another file, if it can be read."""
        raise NotImplementedError

    def hold(self, held: bool) -> None:
        """Stop drawing news, or resume it."""
        raise NotImplementedError

    def submit(self, command: Command) -> None:
        """Send a command to the engine; all but an evaluation stop the previews."""
        raise NotImplementedError

    def stop_previews(self) -> None:
        """Stop the previews that run or wait."""
        raise NotImplementedError

    def stop_job(self, job: int) -> None:
        """Stop the running job, or remove a waiting one from the queue."""
        raise NotImplementedError
