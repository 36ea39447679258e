"""The form for the order of new tasks: data sets to measure, and how long the heads are trained."""

import shlex
from collections.abc import Awaitable, Callable

from packnet_core.data.kinds import named_sources
from packnet_core.errors import RequestError
from packnet_core.jobs import rules
from packnet_core.schema import recipes
from packnet_core.schema.commands import Order, validated
from packnet_core.schema.recipes import Recipe
from packnet_tui.state.adding_order import proposed
from packnet_tui.state.format import NAME, cut_middle
from packnet_tui.state.picture import Picture
from packnet_tui.workbench.screens.field_input import DataSuggester
from packnet_tui.workbench.screens.field_table import FormField
from packnet_tui.workbench.screens.field_values import Wrong, value_of, whole
from packnet_tui.workbench.screens.form import Form
from packnet_tui.workbench.screens.recipe_fields import LABELS, option_help, recipe_field
from packnet_tui.workbench.screens.recipe_words import steady

DATA_SETS = "data sets"  # the field's label
DATA = "A name, = and its data as for an added task, for each. Quote a path with spaces: 'birds=/my data'."
OF_RECIPE = ("epochs", "lr", "batch_size", "seed")


class OrderForm(Form[Order]):
    """Returns the command that measures data sets. Those that wait to be added are proposed."""

    KEYS = "enter measures them   tab completes or next   F1 help   esc closes"
    ABOUT = (
        "Measures how hard data sets are for this network: trains a new head for each, on fixed features. Tasks are "
        "best added in the order of these errors, the largest first (§5.1). The file does not change."
    )

    def __init__(self, picture: Picture):
        named = [f"{name}={source}" for name, source in proposed(picture).items()]
        usual = cut_middle(picture.tasks[-1].name, NAME) if picture.tasks else "the network"
        fields = [
            FormField(
                "data", DATA_SETS, shlex.join(named), "NAME=DATA NAME=DATA …", DATA, wide=True, suggester=LastData()
            ),
            *(recipe_field(name, Recipe()) for name in OF_RECIPE),
            FormField("limit", LABELS["limit"], hint="all images", about=option_help("limit")),
            FormField("features", "features of", hint=usual, about="The task whose features the heads use."),
        ]
        super().__init__("Order of new tasks: the hardest first", fields)
        self._picture = picture

    def result(self, values: dict[str, str]) -> Order:
        command = validated(
            Order(
                data=_data(values["data"]),
                recipe=_recipe(values),
                limit=whole(LABELS["limit"], values["limit"], 1) if values["limit"] else None,
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


class LastData(DataSuggester):
    """Proposes completions of the data that is typed last."""

    async def get_suggestion(self, value: str) -> str | None:
        return await _last(value, super().get_suggestion)

    async def completed(self, text: str) -> str | None:
        return await _last(text, super().completed)


async def _last(text: str, complete: Callable[[str], Awaitable[str | None]]) -> str | None:
    """A text with what follows its last `=` completed; None if that can't be done, or would need quotes."""
    before, sign, data = text.rpartition("=")
    found = await complete(data) if sign else None
    return None if found is None or " " in found else f"{before}={found}"


def _data(text: str) -> dict[str, str]:
    """The data sets in the form. Raises Wrong."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise Wrong(DATA_SETS, f"{error}") from None
    if not words:
        raise Wrong(DATA_SETS, "name those that could be added, for example birds=~/birds cars=~/cars")
    try:
        return named_sources(words)
    except RequestError as error:
        raise Wrong(DATA_SETS, str(error)) from None


def _recipe(values: dict[str, str]) -> Recipe:
    return Recipe(**{name: value_of(recipes.fields()[name], values[name]) for name in OF_RECIPE})
