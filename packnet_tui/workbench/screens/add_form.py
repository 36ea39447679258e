"""The form for a new task, with a preview of its data while it is typed, the paper's recipe, and the outcome."""

from contextlib import suppress

from msgspec.structs import replace
from textual import work
from textual.content import Content
from textual.css.query import NoMatches
from textual.widgets import Static

from packnet_core.errors import RequestError
from packnet_core.jobs import rules
from packnet_core.schema.commands import Add
from packnet_core.schema.document import chosen_layers
from packnet_core.schema.fields import shown
from packnet_tui.state.fits import what_fits
from packnet_tui.state.format import NAME, cut_middle
from packnet_tui.state.picture import Picture
from packnet_tui.workbench.screens import recipe_fields, recipe_words
from packnet_tui.workbench.screens.data_preview import DataPreview, preview_data, preview_in_words
from packnet_tui.workbench.screens.debounce import Debounced
from packnet_tui.workbench.screens.field_input import DataSuggester
from packnet_tui.workbench.screens.field_table import FormField
from packnet_tui.workbench.screens.field_values import Wrong
from packnet_tui.workbench.screens.form import Form

OUTCOME = 3  # lines for what the job would do
PATIENCE = 0.2  # seconds without a key before data is read
LOOKING = "reading the data …; enter again starts without that"


class AddForm(Form[Add]):
    """Asks for a new task; returns the command that adds it."""

    KEYS = "enter starts   tab completes or next   ^r resets   F1 help   esc closes"
    ABOUT = (
        "Trains a new task on the free weights of the network, prunes it and retrains it. Only name and data are "
        "needed; the other fields have the paper's values. Below the data you see what was found there: classes, "
        "images per class, or the first problem."
    )

    def __init__(self, picture: Picture):
        fields = [
            FormField("task", "name", hint="name of the task", about=recipe_fields.option_help("task"), wide=True),
            FormField(
                "data",
                "data",
                hint="its images: folder, file or name",
                about=recipe_fields.option_help("data"),
                wide=True,
                below=3,
                suggester=DataSuggester(),
            ),
            *recipe_fields.form_fields(first=not picture.tasks),
        ]
        super().__init__("Add a task", fields)
        self._picture = picture
        self._looks = Debounced(preview_data, PATIENCE)
        self._preview = DataPreview("")
        self._filled: dict[str, str] = {}  # the values that a recipe by name put into fields
        self._waiting: Add | None = None  # a command that waits for the preview, after Enter

    def result(self, values: dict[str, str]) -> Add:
        command = recipe_fields.add_command(values)
        if any(task.name == command.task for task in self._picture.document.tasks):
            raise Wrong("name", f"there is a task {command.task!r} already; choose another")
        if not self._picture.busy:  # else a job may change what is allowed, and the engine checks later
            rules.check(self._picture.document, replace(command, yes=True))  # a question follows if it needs a yes
        return command

    def outcome(self, values: dict[str, str]) -> str:
        document, newest = self._picture.document, self._picture.open_task
        chosen = recipe_fields.words(values["layers"])
        only = chosen_layers(document, chosen) if document.tasks else None  # the first task owns all layers
        recipe, ratio = recipe_fields.recipe(values), recipe_fields.prune_ratio(values)
        found, text = what_fits(self._picture, ratio or 0, only), ""
        for brief in (False, True):
            text = recipe_words.adding(recipe, ratio, found, brief) + (", in these layers." if chosen else ".")
            text += f" Seals {cut_middle(newest.name, NAME)}, for good." if newest else ""
            if len(text) <= OUTCOME * (min(96, self.size.width or 96) - 8):
                break
        return text

    def on_mount(self) -> None:
        self._show_hints()
        self._show_preview()
        with suppress(RequestError):  # it has filled the fields already
            self._filled = recipe_fields.filled(self.values(), first=not self._picture.tasks)
        if self._data:
            self._look(self._data)

    def changed(self, name: str) -> None:
        self._waiting = None
        self._show_hints()
        if name in ("data", "recipe"):
            self._fill_in()
        if name == "data":
            self._look(self._data)

    def _show_hints(self) -> None:
        for name, hint in recipe_fields.hints(self.values()).items():
            self.hint(name, hint)

    def _fill_in(self) -> None:
        """Put the values of a recipe by name into the fields when they change; later typing stays."""
        with suppress(RequestError):
            filled = recipe_fields.filled(self.values(), first=not self._picture.tasks)
            if filled != self._filled:
                self._filled = filled
                for name, text in filled.items():
                    self.put(name, text)

    @property
    def _data(self) -> str:
        return self.values()["data"]

    @work(exclusive=True, group="look")
    async def _look(self, text: str) -> None:
        preview = await self._looks.ask(text)
        if preview is None:
            return
        self._preview = preview
        with suppress(NoMatches):  # the form is being closed, and has no fields any more
            self._show_preview()
        if self._waiting and self.is_active:  # else help is above it, which would be closed in its place
            self.accept(self._waiting)

    def _show_preview(self) -> None:
        problem, words = preview_in_words(self._preview, self._picture.document.input.channels)
        self._below(words, problem)
        seen = self._preview.summary
        for name in ("flip", "crop"):
            suggests = f": {shown(getattr(seen, name))}" if seen and seen.images else ""
            self.hint(name, f"by the data{suggests}")

    def _below(self, words: str, problem: str = "") -> None:
        """Show text below the data."""
        alarm = [(f"{problem}\n", "$text-warning")] if problem else []
        self.query_one("#data-below", Static).update(Content.assemble(*alarm, words))

    def accept(self, result: Add) -> None:
        """Start when the preview is there; after a second Enter, at once."""
        if self._preview.text != self._data and result != self._waiting:
            self._waiting = result
            self._below(LOOKING)
        elif problem := self._objection(result):
            self.say(problem)
        else:
            self.end(result)

    def _objection(self, command: Add) -> RequestError | None:
        """The error in the command that the preview shows, if any."""
        if self._preview.text != self._data:
            return None
        if problem := self._preview.problem(self._picture.document.input.channels):
            return Wrong("data", problem)
        classes = len(self._preview.summary.classes) if self._preview.summary else 0
        if command.limit is not None and command.limit < classes:
            return Wrong(
                recipe_fields.LABELS["limit"],
                f"{command.limit} is less than one training image for each of {classes} classes",
            )
        return None
