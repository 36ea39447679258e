"""The last line: keys, from the list of actions; actions that can't be done now are dim."""

from collections.abc import Sequence

from rich.text import Text
from textual import events

from packnet_tui.workbench import actions
from packnet_tui.workbench.widgets.pane import Lines

# left out in this order if there is no room, after all that can't be done now
FIRST_TO_GO = ("compare", "palette", "filter", "zoom", "hold", "evaluate_all", "drop", "train", "forecast")
LAST_TO_GO = ("stop", "evaluate", "prune", "add")


class Footer(Lines):
    """Shows as many actions as fit, first those that can be done now."""

    DEFAULT_CSS = "Footer { height: 1; background: $surface; color: $text; }"

    def __init__(self) -> None:
        super().__init__()
        self._spots: list[tuple[int, actions.Action]] = []  # where each action begins

    async def on_click(self, event: events.Click) -> None:
        """Do the action under the mouse."""
        for start, action in self._spots:
            if start <= event.x < start + len(action.shown) + 1 + len(action.label):
                await self.screen.run_action(action.name)

    def build(self, width: int, height: int) -> Sequence[Text]:
        shown = actions.footer_actions(self.app.actions, self.app.readonly)
        off = {a.name for a in shown if actions.blocked(a, self.picture, self.app.readonly) is not None}
        for name in (*(name for name in (*FIRST_TO_GO, *LAST_TO_GO) if name in off), *FIRST_TO_GO):
            if sum(len(a.shown) + 1 + len(a.label) + 2 for a in shown) <= width:
                break
            shown = [action for action in shown if action.name != name]
        line, self._spots = Text(" "), []
        for action in shown:
            if len(line) + len(action.shown) + 1 + len(action.label) > width:
                break
            self._spots.append((len(line), action))
            line.append(action.shown, "dim" if action.name in off else "bold")
            line.append(f" {action.label}  ", "dim" if action.name in off else "")
        return [line]
