"""The form of going on with the open task."""

from packnet_core.commands import Changes, Train
from packnet_core.errors import RequestError
from packnet_core.records import Task
from packnet_tui.screens.form import Field, Form, number, whole


class TrainForm(Form[Train]):
    """Asks how long and how fast; gives the command."""

    def __init__(self, task: Task):
        dense = task.phase == "trained"
        recipe = task.recipe
        self._epochs = recipe.epochs if dense else recipe.retraining_epochs
        self._rate = recipe.lr if dense else recipe.retraining_lr
        fields = [
            Field("epochs", "epochs", str(self._epochs)),
            Field("lr", "learning rate", f"{self._rate:g}"),
        ]
        title = f"Train {task.name} on" if dense else f"Retrain {task.name}"
        super().__init__(title, fields, "With the recipe and the data it had.")

    def result(self, values: dict[str, str]) -> Train:
        return train_command(values, self._epochs, self._rate)


def train_command(values: dict[str, str], usual_epochs: int, usual_rate: float) -> Train:
    """The command that a filled-in form means; what is as it was is left out of it."""
    epochs, rate = whole("epochs", values["epochs"], 1), number("learning rate", values["lr"])
    if not 0 < rate < float("inf"):
        raise RequestError(f"learning rate: {rate:g} is not above 0")
    changes: Changes = {}
    if epochs != usual_epochs:
        changes["epochs"] = epochs
    if f"{rate:g}" != f"{usual_rate:g}":
        changes["lr"] = rate
    return Train(recipe=changes)
