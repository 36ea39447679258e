"""The dialog for a yes-or-no question whose default is no."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from packnet_tui.workbench.screens.dialog_help import Helped


class Question(ModalScreen[bool], Helped):
    """Returns the answer: y is yes, n and Escape are no; Enter takes the marked answer, at first no."""

    DEFAULT_CSS = """
    Question { align: center middle; }
    Question > Vertical {
        width: 64; max-width: 96%; height: auto; padding: 1 2;
        border: heavy $warning; background: $surface;
    }
    Question .answers { margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("n,escape,q", "answer(False)", "no"),
        Binding("enter", "chosen", "the marked answer, at first no"),
        Binding("left,right,tab,shift+tab,h,l", "other", "mark the other answer"),
    ]
    ABOUT = "A question before something that can't be undone, or that takes long. Nothing happens without a yes."

    def __init__(self, question: str, explanation: str = "", yes: str = "yes", no: str = "no"):
        super().__init__()
        self._question, self._explanation = question, explanation
        self._labels = {False: f"[n] {no}", True: f"[y] {yes}"}
        self._yes = False  # the marked answer

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content.styled(self._question, "bold"))
            if self._explanation:
                yield Static(Content(self._explanation))
            yield Static(self._answers(), classes="answers")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)

    def action_chosen(self) -> None:
        self.dismiss(self._yes)

    def action_other(self) -> None:
        self._yes = not self._yes
        self.query_one(".answers", Static).update(self._answers())

    def _answers(self) -> Text:
        line = Text()
        for yes, label in self._labels.items():
            line.append(f" {label} ", "reverse bold" if yes == self._yes else "")
            line.append("   ")
        return line
