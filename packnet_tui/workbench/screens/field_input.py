"""The input of a form's field: it cleans pasted text; →, End or Tab accepts the completion."""

import asyncio
from contextlib import suppress
from os.path import commonprefix

from textual import events
from textual.suggester import Suggester
from textual.widgets import Input

from packnet_tui.cli.completion import completions, is_whole
from packnet_tui.workbench.screens.debounce import Debounced

PATIENCE = 0.05  # seconds
LONGEST = 0.5  # seconds that Tab waits for a disk


class FieldInput(Input):
    """An input line of a form."""

    def validate(self, value: str) -> None:
        """Do nothing, since the form validates. Input's own method would style it again at every change."""

    def on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        self.replace(unquoted(event.text), *self.selection)

    def action_paste(self) -> None:
        self.replace(unquoted(self.app.clipboard), *self.selection)

    def action_end(self, select: bool = False) -> None:
        if self.cursor_at_end and not select:
            self.action_cursor_right()  # accepts the completion
        else:
            super().action_end(select)


class DataSuggester(Suggester):
    """Proposes the first completion of data that is being typed; a slow disk does not block the screen."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._newest, self._clear = Debounced(proposal, PATIENCE), Debounced(clear_part, 0)

    async def get_suggestion(self, value: str) -> str | None:
        return await self._newest.ask(value)

    async def completed(self, text: str) -> str | None:
        """A text completed as far as it is clear; None if there is nothing to complete, or the disk takes too long."""
        with suppress(TimeoutError):
            return await asyncio.wait_for(self._clear.ask(text), LONGEST)
        return None


def proposal(text: str) -> str | None:
    """The first completion of a text; None for the content of a folder that is a data set."""
    found = completions(text)
    return None if not found or f"{text}train/" in found else found[0]


def clear_part(text: str) -> str | None:
    """A text with the part that all its completions share; None if there is nothing to complete."""
    if not text or is_whole(text) or proposal(text) is None:
        return None
    start = commonprefix(completions(text))  # noqa: RUF071  # of characters
    return start if len(start) >= len(text) else text


def unquoted(text: str) -> str:
    """The first line of pasted text, without space around it or the quotes that shells put around paths."""
    line = next(iter(text.strip().splitlines()), "").strip()
    return line[1:-1] if len(line) > 1 and line[0] == line[-1] and line[0] in "'\"" else line
