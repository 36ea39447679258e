"""The form of a new task, with the paper's recipe filled in."""

from msgspec.structs import replace

from packnet_core import tasks
from packnet_core.commands import Add
from packnet_core.errors import RequestError
from packnet_core.records import Recipe
from packnet_tui.screens.form import Field, Form, number, whole
from packnet_tui.widgets.picture import Picture

PAPER = Recipe()
FIRST_RATIO, LATER_RATIO = "0.5", "0.75"  # §4: half of the first task's weights, then three quarters


class AddForm(Form[Add]):
    """Asks for a task; gives the command that adds it."""

    def __init__(self, picture: Picture):
        fields = [
            Field("task", "name", hint="what to call the task"),
            Field("data", "data", hint="folder, FILE.npz, torchvision:NAME, sklearn:digits"),
            Field("epochs", "epochs", str(PAPER.epochs)),
            Field("lr", "learning rate", f"{PAPER.lr:g}"),
            Field("batch_size", "batch size", str(PAPER.batch_size)),
            Field("optimizer", "optimizer", PAPER.optimizer, hint="sgd or adamw"),
            Field(
                "prune", "prune ratio", LATER_RATIO if picture.tasks else FIRST_RATIO, hint="empty: do not prune yet"
            ),
            Field("retrain_epochs", "retrain epochs", hint="half of the epochs"),
            Field("limit", "limit", hint="all training images"),
        ]
        newest = picture.open_task
        seals = f" This seals {newest.name}, for good." if newest else ""
        note = f"Trained on the free weights, pruned, retrained; the recipe is the paper's.{seals}"
        super().__init__("Add a task", fields, note)
        self._picture = picture

    def result(self, values: dict[str, str]) -> Add:
        command = add_command(values)
        if not self._picture.busy:  # else what runs first may change what is possible, and the engine will tell
            tasks.check(self._picture.document, replace(command, yes=True))  # chance is asked about afterwards
        return command


def add_command(values: dict[str, str]) -> Add:
    """The command that a filled-in form means. Raises RequestError, naming the field, where one makes no sense."""
    if not values["task"]:
        raise RequestError("name: the task needs one")
    if not values["data"]:
        raise RequestError("data: where are its images? A folder, FILE.npz, torchvision:NAME or sklearn:digits")
    optimizer = values["optimizer"].lower()
    if optimizer not in ("sgd", "adamw"):
        raise RequestError(f"optimizer: {optimizer or 'nothing'!r} is neither sgd nor adamw")
    rate = number("learning rate", values["lr"])
    if not 0 < rate < float("inf"):
        raise RequestError(f"learning rate: {rate:g} is not above 0")
    ratio = number("prune ratio", values["prune"]) if values["prune"] else None
    if ratio is not None and not 0 <= ratio <= 1:
        raise RequestError(f"prune ratio: a share from 0 to 1, and {ratio:g} is not; 0.5 frees half of the weights")
    retrain = values["retrain_epochs"]
    recipe = Recipe(
        optimizer="adamw" if optimizer == "adamw" else "sgd",
        lr=rate,
        epochs=whole("epochs", values["epochs"], 0),
        batch_size=whole("batch size", values["batch_size"], 1),
        retrain_epochs=whole("retrain epochs", retrain, 0) if retrain else None,
    )
    limit = whole("limit", values["limit"], 1) if values["limit"] else None
    return Add(task=values["task"], data=resolved(values["data"]), recipe=recipe, prune=ratio, limit=limit)


def resolved(data: str) -> str:
    """Paths made absolute: the engine may work in another folder."""
    from packnet_core.data import resolve  # numpy comes with it

    return resolve(data)
