"""The input of a form's field: it cleans pasted text; → or End accepts the completion."""

from textual import events
from textual.suggester import Suggester
from textual.widgets import Input

from packnet_tui.cli.completion import completions
from packnet_tui.workbench.screens.debounce import Debounced

PATIENCE = 0.05  # seconds


class FieldInput(Input):
    """An input line of a form."""

    def validate(self, value: str) -> None:
        """Do nothing, since the form validates. Input's own method would style every field again while a form opens."""

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
        self._newest = Debounced(proposal, PATIENCE)

    async def get_suggestion(self, value: str) -> str | None:
        return await self._newest.ask(value)


def proposal(text: str) -> str | None:
    """The first completion of a text; None for the content of a folder that is a data set."""
    found = completions(text)
    return None if not found or f"{text}train/" in found else found[0]


def unquoted(text: str) -> str:
    """The first line of pasted text, without space around it or the quotes that shells put around paths."""
    line = next(iter(text.strip().splitlines()), "").strip()
    return line[1:-1] if len(line) > 1 and line[0] == line[-1] and line[0] in "'\"" else line
