"""The form that trains the open task further."""

from msgspec.structs import replace

from packnet_core.schema.commands import Train
from packnet_core.schema.document import Task
from packnet_core.schema.fields import shown
from packnet_core.schema.recipes import Recipe
from packnet_core.schema.recipes import fields as of_recipe
from packnet_tui.state.format import NAME, cut_middle
from packnet_tui.workbench.screens import recipe_words
from packnet_tui.workbench.screens.field_values import value_of, whole
from packnet_tui.workbench.screens.form import Form
from packnet_tui.workbench.screens.recipe_fields import recipe_field

FIELDS = ("epochs", "lr", "batch_size", "weight_decay")


class TrainForm(Form[Train]):
    """Asks for epochs and rates; returns the command."""

    ABOUT = (
        "Trains the open task further with its own data. Once it is pruned, this retrains the weights it kept. The "
        "fields have the values of its last training; no other task changes."
    )

    def __init__(self, task: Task):
        self._open = task
        self._dense = task.phase == "trained"
        self._usual = task.recipe if self._dense else as_retrained(task.recipe)
        fields = [recipe_field(name, self._usual) for name in FIELDS]
        name = cut_middle(task.name, NAME)
        super().__init__(f"Train {name} further" if self._dense else f"Retrain {name}", fields)

    def result(self, values: dict[str, str]) -> Train:
        return replace(train_command(values, self._usual), task=self._open.name)

    def outcome(self, values: dict[str, str]) -> str:
        recipe = self._usual.changed(self.result(values).recipe)
        what = recipe_words.trained(recipe if self._dense else recipe.changed({"decay_epoch": recipe.epochs}))
        name = cut_middle(self._open.name, NAME)
        return f"{what}, with the same data. {name} keeps the weights it owns; no other task changes."


def as_retrained(recipe: Recipe) -> Recipe:
    """The recipe with the epochs and the rate of retraining in place of those of training."""
    return recipe.changed({"epochs": recipe.retraining_epochs, "lr": recipe.retraining_lr})


def train_command(values: dict[str, str], usual: Recipe) -> Train:
    """The command made from a form's values: it has only the changed ones. Raises Wrong."""
    whole("epochs", values["epochs"], 1)
    typed = {name: value_of(of_recipe()[name], values[name]) for name in FIELDS}
    return Train(recipe={name: value for name, value in typed.items() if shown(value) != shown(getattr(usual, name))})
