"""A line to type in, in place of the footer: a filter after `/`, a command after `:`."""

import asyncio
from collections.abc import Callable, Sequence
from os.path import commonprefix
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Static

Complete = Callable[[str], list[str]]  # may read files, so it is called in a thread


class _Suggest(Suggester):
    """Proposes the first completion of the line."""

    def __init__(self, complete: Complete):
        super().__init__(use_cache=False, case_sensitive=True)
        self._complete = complete

    async def get_suggestion(self, value: str) -> str | None:
        return next(iter(await asyncio.to_thread(self._complete, value)), None)


class Prompt(Vertical):
    """Hidden until `ask`; posts Typed at every change and at the end. Holds the focus while it is shown."""

    DEFAULT_CSS = """
    Prompt { height: auto; display: none; background: $surface; }
    Prompt Horizontal { height: 1; }
    Prompt .sign { width: 2; color: $text-accent; text-style: bold; padding: 0 0 0 1; }
    Prompt .choices { height: auto; max-height: 3; padding: 0 2; color: $text-muted; display: none; }
    Prompt Input, Prompt Input:focus { width: 1fr; height: 1; border: none; padding: 0; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "give_up"),
        Binding("tab", "complete"),
        Binding("shift+tab", "stay"),
        Binding("up", "earlier(1)"),
        Binding("down", "earlier(-1)"),
    ]

    class Typed(Message):
        """`text` is the line after `sign`. `done`: the line was ended, by Enter (`kept`) or Escape."""

        def __init__(self, sign: str, text: str, done: bool = False, kept: bool = True):
            super().__init__()
            self.sign, self.text, self.done, self.kept = sign, text, done, kept

    def __init__(self) -> None:
        super().__init__()
        self._sign = ""
        self._complete: Complete = lambda _: []
        self._lines: list[str] = []  # typed before, the oldest first, and the one that is typed now
        self._at = 0

    def compose(self) -> ComposeResult:
        yield Static(classes="choices", markup=False)
        with Horizontal():
            yield Static(classes="sign")
            yield Input(select_on_focus=False)

    @property
    def text(self) -> str:
        return self.query_one(Input).value

    def ask(self, sign: str, text: str = "", complete: Complete | None = None, earlier: Sequence[str] = ()) -> None:
        """Show the line, with a sign before it.

        `complete` gives the completions of a line: → accepts the first, Tab their common start. ↑ and ↓ go through the
        `earlier` lines, the oldest of which is the first.
        """
        self._sign, self._complete = sign, complete or (lambda _: [])
        self._lines, self._at = [*earlier, text], len(earlier)
        self.query_one(".sign", Static).update(sign)
        line = self.query_one(Input)
        line.suggester = _Suggest(complete) if complete else None
        self._put(text)
        self.display = True
        self.screen.set_focus(line)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one(".choices").display = False
        if self.display:
            self.post_message(self.Typed(self._sign, event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._end(kept=True)

    def action_give_up(self) -> None:
        self._end(kept=False)

    def action_stay(self) -> None:
        """Keep the focus here."""

    async def action_complete(self) -> None:
        """Complete the line as far as it is clear; then list the choices."""
        choices = await asyncio.to_thread(self._complete, self.text)
        if (start := commonprefix(choices)) and start != self.text:  # noqa: RUF071  # of characters
            self._put(start)
        elif len(choices) > 1:
            words = (choice.rstrip().rpartition(" ")[2] for choice in choices)
            shown = self.query_one(".choices", Static)
            shown.update("  ".join(words))
            shown.display = True

    def action_earlier(self, back: int) -> None:
        """Show an earlier line, or the one after it."""
        wanted = self._at - back
        if 0 <= wanted < len(self._lines):
            self._lines[self._at] = self.text
            self._at = wanted
            self._put(self._lines[wanted])

    def _put(self, text: str) -> None:
        line = self.query_one(Input)
        with line.prevent(Input.Changed):
            line.value = text
        line.cursor_position = len(text)
        self.query_one(".choices").display = False

    def _end(self, kept: bool) -> None:
        self.display = False
        self.post_message(self.Typed(self._sign, self.text, done=True, kept=kept))
