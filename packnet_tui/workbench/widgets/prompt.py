"""A line to type in, in place of the footer: a filter after `/`, a command after `:`."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widgets import Input, Static


class Prompt(Horizontal):
    """Hidden until `ask`; posts Typed at every change and at the end."""

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; background: $surface; }
    Prompt Static { width: 2; color: $text-accent; text-style: bold; padding: 0 0 0 1; }
    Prompt Input, Prompt Input:focus { width: 1fr; height: 1; border: none; padding: 0; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,ctrl+c", "give_up")]

    class Typed(Message):
        """`text` is the line after `sign`. `done`: the line was ended, by Enter (`kept`) or Escape."""

        def __init__(self, sign: str, text: str, done: bool = False, kept: bool = True):
            super().__init__()
            self.sign, self.text, self.done, self.kept = sign, text, done, kept

    def __init__(self) -> None:
        super().__init__()
        self._sign = ""

    def compose(self) -> ComposeResult:
        yield Static()
        yield Input(select_on_focus=False)

    @property
    def text(self) -> str:
        return self.query_one(Input).value

    def ask(self, sign: str, text: str = "", known: Sequence[str] = ()) -> None:
        """Show the line, with a sign before it. It proposes the rest of a `known` word; → accepts that."""
        self._sign = sign
        self.query_one(Static).update(sign)
        line = self.query_one(Input)
        line.suggester = SuggestFromList(known, case_sensitive=True) if known else None
        with line.prevent(Input.Changed):
            line.value = text
        line.cursor_position = len(text)
        self.display = True
        self.screen.set_focus(line)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.display:
            self.post_message(self.Typed(self._sign, event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._end(kept=True)

    def action_give_up(self) -> None:
        self._end(kept=False)

    def _end(self, kept: bool) -> None:
        self.display = False
        self.post_message(self.Typed(self._sign, self.text, done=True, kept=kept))
