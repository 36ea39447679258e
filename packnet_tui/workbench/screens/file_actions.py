"""The actions that show another of the open files."""

from textual import on

from packnet_tui.workbench.open_file import OpenFile
from packnet_tui.workbench.screens.job_actions import JobActions, opening
from packnet_tui.workbench.widgets.files_strip import FilesStrip
from packnet_tui.workbench.widgets.pane import Pane


class FileActions(JobActions):
    """The part of the main screen that goes from file to file; each pane then is as it was left there."""

    @opening
    async def action_files(self) -> None:
        from packnet_tui.workbench.screens.file_choice import FileChoice

        if self._only_one():
            return
        choice = FileChoice(self.app.files, self.app.here, self.size.width)
        if file := await self._ask_for(choice):
            self.go_to(file)

    def action_file(self, which: str) -> None:
        """Show the next or previous file that can be shown."""
        if self._only_one():
            return
        files, step = self.app.files, 1 if which == "next" else -1
        at = files.index(self.app.here)
        others = [files[(at + step * i) % len(files)] for i in range(1, len(files))]
        self.go_to(next((file for file in others if file.watch), others[0]))

    @on(FilesStrip.Chosen)
    def _clicked(self, message: FilesStrip.Chosen) -> None:
        self.go_to(message.file)

    def go_to(self, file: OpenFile) -> None:
        """Show a file; if it can't be read, say why instead."""
        if file.watch is None:
            self.app.notify(file.error, severity="warning", markup=False)
            return
        panes = [pane for pane in self.query(Pane) if pane.id]
        self.app.here.places = {pane.id: pane.place for pane in panes}
        for pane in panes:
            pane.place = file.places.get(pane.id, pane.NEW)
        self.app.go_to(file)

    def _only_one(self) -> bool:
        """Whether no other file is open; if so, say how to open several."""
        if len(self.app.files) > 1:
            return False
        self.app.notify("only one file is open; several: packnet-tui open A B C", severity="warning")
        return True
