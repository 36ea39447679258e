"""What a line after `:` does: an action, a command of the shell, or a word of the workbench with its argument."""

import asyncio
import sys

from packnet_core.errors import RequestError
from packnet_tui.state.typed_lines import keep_line
from packnet_tui.workbench.command_line import COMMANDS, JOB_COMMANDS, PRINTED, parse, printed, unknown, words_of
from packnet_tui.workbench.screens.copy_actions import CopyActions
from packnet_tui.workbench.screens.job_actions import JobActions

PACKNET = (sys.executable, "-P", "-m", "packnet_tui.cli.main")  # -P: no code from this folder


class TypedCommands(CopyActions, JobActions):
    """The part of the main screen that does typed lines."""

    @property
    def words(self) -> dict[str, list[str]]:
        """The words that a line may begin with beside the commands, each with the arguments that may follow it."""
        following = {"help": [*COMMANDS], "theme": [*self.app.available_themes], "copy": ["pane"]}
        return {action.id: [] for action in self.app.actions} | following

    async def run_line(self, line: str) -> None:
        """Do a line. What is wrong with it is said."""
        await asyncio.to_thread(keep_line, line)  # it waits for the disk
        names = line, line.replace("_", "-")
        action = next((a for a in self.app.actions if a.id in names or line in (a.shown, *a.keys)), None)
        try:
            if action:
                await self.run_action(action.name)
            else:
                await self._run_words(words_of(line), line)
        except RequestError as error:
            self.app.notify(str(error), severity="warning", markup=False)

    async def _run_words(self, words: list[str], line: str) -> None:
        name, *rest = words
        helped = next((a for a in self.app.actions if name == "help" and rest == [a.id]), None)
        if helped and helped.id not in COMMANDS:
            self.app.notify(f"{helped.shown}   {helped.help}", markup=False)
        elif name == "theme":
            self.choose_theme(" ".join(rest))
        elif words == ["copy", "pane"]:
            self.action_copy_pane()
        elif name == "save-svg":
            self.save_svg(" ".join(rest))
        elif arguments := printed(words, self.app.path, self.app.picture.document.architecture.name):
            from packnet_tui.workbench.screens.output_screen import OutputScreen

            await self.app.push_screen(OutputScreen(f"packnet {line}", [*PACKNET, *arguments]))
        elif name in JOB_COMMANDS:
            self.do_command(await asyncio.to_thread(parse, line, self.app.path))  # it reads the file's header
        else:
            raise unknown(name, (*JOB_COMMANDS, *PRINTED, *self.words))

    def choose_theme(self, name: str) -> None:
        """Use a theme by its name. Raises RequestError if there is none, or this terminal can't show it."""
        themes = self.app.available_themes
        if name not in themes:
            raise RequestError(f"there is no theme {name!r}; the themes are {', '.join(themes)}")
        if self.app.few_colours and not name.startswith("ansi-"):
            raise RequestError("this terminal has 16 colours: only ansi-dark and ansi-light look right in it")
        self.app.theme = name
