"""The form for the order of new tasks: data sets to measure, and how long the heads are trained."""

import re
import shlex

from textual.suggester import Suggester
from textual.widgets import Static

from packnet_core.data.kinds import named_sources
from packnet_core.errors import RequestError
from packnet_core.jobs import rules
from packnet_core.schema import recipes
from packnet_core.schema.commands import Order, validated
from packnet_core.schema.recipes import Recipe
from packnet_tui.state.adding_order import proposed
from packnet_tui.state.picture import Picture
from packnet_tui.workbench.screens.debounce import Debounced
from packnet_tui.workbench.screens.field_input import PATIENCE, proposal
from packnet_tui.workbench.screens.field_values import Wrong, value_of, whole
from packnet_tui.workbench.screens.form import Form, FormField
from packnet_tui.workbench.screens.recipe_fields import recipe_field
from packnet_tui.workbench.screens.recipe_words import steady

LABEL = "data sets"
OF_RECIPE = ("epochs", "lr", "batch_size", "seed")


class OrderForm(Form[Order]):
    """Returns the command that measures data sets. Those that wait to be added are proposed."""

    KEYS = "enter measures them   tab next   → or end completes   esc cancels"

    def __init__(self, picture: Picture):
        named = [f"{name}={source}" for name, source in proposed(picture).items()]
        fields = [
            FormField(
                "data", LABEL, shlex.join(named), "NAME=DATA NAME=DATA …", wide=True, below=2, suggester=LastWord()
            ),
            *(recipe_field(name, Recipe()) for name in OF_RECIPE),
            FormField("limit", "limit", hint="all images"),
            FormField("features", "features of", hint=f"{picture.tasks[-1].name if picture.tasks else 'the network'}"),
        ]
        super().__init__("Order of new tasks: the hardest first", fields)
        self._picture = picture

    def on_mount(self) -> None:
        words = "A name, = and its data as for an added task, for each.\nQuote a path with spaces: 'birds=/my data'"
        self.query_one("#data-below", Static).update(words)

    def result(self, values: dict[str, str]) -> Order:
        command = validated(
            Order(
                data=_data(values["data"]),
                recipe=_recipe(values),
                limit=whole("limit", values["limit"], 1) if values["limit"] else None,
                features=values["features"] or None,
            )
        )
        rules.check(self._picture.document, command)
        return command

    def outcome(self, values: dict[str, str]) -> str:
        command = self.result(values)
        heads = "a head for each data set" if len(command.data) > 1 else "a head for it"
        return (
            f"Trains {heads} on fixed features, {steady(command.recipe.epochs, command.recipe.lr)}. The one with the "
            "largest error is best added first (§5.1). The file does not change."
        )


class LastWord(Suggester):
    """Proposes the first completion of the data that is typed last."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._newest = Debounced(_completed, PATIENCE)

    async def get_suggestion(self, value: str) -> str | None:
        return await self._newest.ask(value)


def _completed(text: str) -> str | None:
    before, data = re.fullmatch(r"(.*=)?(.*)", text).groups()  # type: ignore[union-attr]  # it matches every text
    found = proposal(data) if before else None
    return None if found is None or " " in found else f"{before}{found}"


def _data(text: str) -> dict[str, str]:
    """The data sets in the form. Raises Wrong."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise Wrong(LABEL, f"{error}") from None
    if not words:
        raise Wrong(LABEL, "name those that could be added, for example birds=~/birds cars=~/cars")
    try:
        return named_sources(words)
    except RequestError as error:
        raise Wrong(LABEL, str(error)) from None


def _recipe(values: dict[str, str]) -> Recipe:
    return Recipe(**{name: value_of(recipes.fields()[name], values[name]) for name in OF_RECIPE})
