"""The form of going on with the open task."""

from packnet_core.schema.commands import Changes, Train
from packnet_core.schema.document import Task
from packnet_core.schema.recipes import Recipe
from packnet_tui.workbench.screens import recipe_words
from packnet_tui.workbench.screens.field_values import not_negative, rate, whole
from packnet_tui.workbench.screens.form import Field, Form


class TrainForm(Form[Train]):
    """Asks how long and how fast; gives the command."""

    def __init__(self, task: Task):
        self._open = task
        self._dense = task.phase == "trained"
        recipe = task.recipe
        self._usual = recipe if self._dense else as_retrained(recipe)
        fields = [
            Field("epochs", "epochs", str(self._usual.epochs)),
            Field("lr", "learning rate", f"{self._usual.lr:g}"),
            Field("batch_size", "batch size", str(recipe.batch_size)),
            Field("weight_decay", "weight decay", f"{recipe.weight_decay:g}"),
        ]
        super().__init__(f"Train {task.name} on" if self._dense else f"Retrain {task.name}", fields)

    def result(self, values: dict[str, str]) -> Train:
        return train_command(values, self._usual)

    def plan(self, values: dict[str, str]) -> str:
        recipe = self._usual.changed(self.result(values).recipe)
        what = recipe_words.trained(recipe) if self._dense else recipe_words.steady(recipe.epochs, recipe.lr)
        return f"{what}, with the data it had. {self._open.name} keeps the weights it owns; no other task changes."


def as_retrained(recipe: Recipe) -> Recipe:
    """The epochs and the rate of retraining in the place of those of training."""
    return recipe.changed({"epochs": recipe.retraining_epochs, "lr": recipe.retraining_lr})


def train_command(values: dict[str, str], usual: Recipe) -> Train:
    """The command that a filled-in form means; what is as it was is left out of it. Raises Wrong."""
    typed: Changes = {
        "epochs": whole("epochs", values["epochs"], 1),
        "lr": rate("learning rate", values["lr"]),
        "batch_size": whole("batch size", values["batch_size"], 1),
        "weight_decay": not_negative("weight decay", values["weight_decay"]),
    }
    return Train(recipe={name: value for name, value in typed.items() if f"{value:g}" != f"{getattr(usual, name):g}"})
