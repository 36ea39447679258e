"""Wrong requests give one line on stderr and exit status 2, without importing torch."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from packnet_core.schema import recipes
from packnet_core.schema.commands import Add, Discard, Drop, Evaluate, Prune, Train, Undo
from packnet_tui.cli import options
from packnet_tui.cli.main import packnet
from packnet_tui.cli.program import app
from packnet_tui.cli.request import task_and_data
from packnet_tui.workbench.launch import main as workbench
from packnet_tui.workbench.open_command import app as workbench_app
from tests.tui.cli import handmade
from tests.tui.cli.conftest import SCRIPTS, one_line

WORK = ["add", "prune", "train", "eval", "preview", "baseline", "drop", "undo", "discard"]
COMMANDS = ["new", *WORK, "inspect", "verify", "export", "watch", "stop", "sizes", "forecast", "demo", "paper"]


@pytest.fixture
def asked(monkeypatch):
    """The command that would be done."""
    commands = []
    monkeypatch.setattr("packnet_tui.cli.execute.do", lambda file, command, *rest: commands.append(command) or 0)

    def asked(*arguments: str):
        assert packnet(list(arguments)) == 0
        return commands.pop()

    return asked


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_has_examples(command):
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"packnet {command}" in result.output.split("Examples:")[1]


def test_help_names_every_command_uncut():
    text = CliRunner().invoke(app, ["--help"]).output.split("Commands:")[1].split("\n\n")[0]
    assert [line.split()[0] for line in text.splitlines() if line] == COMMANDS
    assert "..." not in text
    for command in ("open", "demo"):
        assert f"packnet-tui {command}" in CliRunner().invoke(workbench_app, [command, "--help"]).output


def test_help_says_what_none_means():
    text = " ".join(CliRunner().invoke(app, ["add", "--help"]).output.split())
    assert "after pruning (default: half of the epochs)" in text
    assert "of retraining (default: a tenth of the learning rate)" in text


def test_version(capsys):
    assert packnet(["--version"]) == 0
    assert capsys.readouterr().out.startswith("packnet-tui ")


def test_nothing_asked_for_shows_the_help(capsys):
    assert (packnet([]), workbench([])) == (2, 2)
    assert "Commands:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("nothing", "No such command 'nothing'"),
        ("add", "Missing argument 'FILE'; see packnet add --help"),
        ("add FILE letters2 --data d.npz --epochs many", "'--epochs'"),
        ("add FILE letters2 --data d.npz --epochs=-1", "'--epochs'"),
        ("add FILE letters2 --data d.npz --lr 0", "'--lr': 0 is not above 0"),
        ("add FILE letters2 --data d.npz --lr nan", "'--lr': nan is not above 0"),
        ("add FILE letters2 --data d.npz --weight-decay=-1", "'--weight-decay': -1 is not at least 0"),
        ("add FILE letters2 --data d.npz --momentum 1", "'--momentum': 1 is not from 0 to below 1"),
        ("add FILE letters2 --data d.npz --optimizer lbfgs", "'lbfgs' is not one of"),
        ("add FILE letters2 --data d.npz --prune 50", "a pruning ratio is a share from 0 to 1"),
        ("add FILE letters2 --data d.npz --limit 0", "'--limit'"),
        ("add FILE digits --data d.npz", "there is a task 'digits' already"),
        ("prune FILE 1.5", "a pruning ratio is a share from 0 to 1"),
        ("prune FILE nan", "a pruning ratio is a share from 0 to 1"),
        ("prune FILE half", "'R': 'half' is not a"),
        ("eval FILE --limit 1.5", "'--limit': '1.5' is not a"),
        ("prune FILE --max-drop inf", "'--max-drop': inf is not a number"),
        ("add FILE letters2 --data d.npz --seed 4294967296", "'--seed'"),
        ("prune FILE 0.5 --recipe papre", "there is no recipe 'papre'; the recipes are paper"),
        ("add FILE letters2 --data d.npz --recipe papre", "there is no recipe 'papre'; the recipes are paper"),
        ("prune FILE 0.5 --layer features.0", "--layer takes NAME=R"),
        ("prune FILE 0.5 --layer nowhere=0.5", "no layer fits 'nowhere'"),
        ("eval FILE --limit 0", "'--limit'"),
        ("eval FILE numbers", "no task 'numbers' in this file; its tasks: digits, letters"),
        ("eval FILE --data d.npz", "other data can be given for one task at a time with --data; or give TASK=DATA"),
        ("eval FILE digits=d.npz --mixed d.npz", "give other data in one way"),
        ("eval FILE numbers=d.npz", "no task 'numbers' in this file"),
        ("drop FILE digits", "only the newest task, 'letters', can be dropped"),
        ("drop FILE letters", "give --yes"),
        ("undo FILE", "the last change of the file was not a drop, so there is nothing to undo"),
        ("discard FILE", "no interrupted job waits, so there is nothing to give up"),
        ("discard FILE --yes", "no interrupted job waits"),
        ("export FILE numbers out.safetensors", "no task 'numbers'"),
        ("export FILE digits FILE", "OUT is the pack file itself"),
        ("new FILE --arch vgg16", "exists already"),
        ("new other.safetensors --arch vgg16 --mean 1,a,2", "is not a list of numbers"),
        ("verify nowhere.safetensors", "make one with: packnet new"),
        ("watch nowhere.safetensors", "make one with: packnet new"),
    ],
)
def test_wrong_requests_are_one_line_and_status_2(file, capsys, monkeypatch, arguments, says):
    monkeypatch.chdir(file.parent)
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: SIM115
    before = file.read_bytes()
    assert packnet([str(file) if word == "FILE" else word for word in arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert says in one_line(err)
    assert out == ""
    assert file.read_bytes() == before


def test_real_processes_give_the_same_errors(file, run):
    for arguments in (["add", file], ["prune", file, "7"], ["drop", file, "letters"], ["frobnicate"]):
        result = run(*arguments)
        assert (result.returncode, result.stdout) == (2, "")
        one_line(result.stderr)


def test_a_wrong_request_is_refused_before_torch_is_imported(file):
    script = (
        "import sys; from packnet_tui.cli.main import packnet; status = packnet(sys.argv[1:]); "
        "assert 'torch' not in sys.modules; sys.exit(status)"
    )
    for arguments in (["prune", file, "7"], ["add", file, "digits", "--data", "d.npz"], ["train", file, "--lr", "0"]):
        result = subprocess.run([sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True)
        assert result.returncode == 2, result.stderr


def test_a_task_no_better_than_chance_is_sealed_only_with_yes(tmp_path, capsys):
    bad = [handmade.TASKS[0], handmade.task("letters", "pruned", 5, {"top1": 80.0, "top5": None, "images": 50})]
    path = handmade.write(tmp_path / "a.safetensors", handmade.document(bad))
    assert packnet(["add", str(path), "more", "--data", "d.npz"]) == 2
    assert "'letters' is no better than chance" in one_line(capsys.readouterr().err)


def test_add_passes_all_options_on(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = (
        "add f cubs --data d.npz --epochs 3 --lr 0.02 --batch-size 8 --optimizer adamw --momentum 0.5 "
        "--weight-decay 0.1 --decay-epoch 2 --prune 0.75 --retrain-epochs 1 --retrain-lr 0.001 --limit 99 "
        "--no-flip --device cpu --seed 7 --yes --steps 3 --own norms --own biases --own norms "
        "--layers conv --layers classifier.* --schedule cosine --warmup-epochs 1 --label-smoothing 0.1 --clip 2 "
        "--precision bf16 --channels-last --pick last"
    )
    command = asked(*said.split())
    assert isinstance(command, Add)
    assert (command.task, command.data) == ("cubs", str(tmp_path / "d.npz"))  # absolute: an engine works elsewhere
    recipe = command.recipe
    assert (recipe.epochs, recipe.lr, recipe.batch_size, recipe.optimizer) == (3, 0.02, 8, "adamw")
    assert (recipe.momentum, recipe.weight_decay, recipe.decay_epoch, recipe.seed) == (0.5, 0.1, 2, 7)
    assert (recipe.retrain_epochs, recipe.retrain_lr) == (1, 0.001)
    assert (recipe.schedule, recipe.warmup_epochs, recipe.label_smoothing) == ("cosine", 1, 0.1)
    assert (recipe.clip, recipe.precision, recipe.channels_last, recipe.pick) == (2, "bf16", True, "last")
    assert (command.steps, command.own, command.layers) == (3, ("norms", "biases"), ("conv", "classifier.*"))
    assert (command.prune, command.limit, command.flip, command.device, command.yes) == (0.75, 99, False, "cpu", True)


def test_defaults_are_the_papers_or_the_tasks_own(asked):
    assert asked("add", "f", "cubs", "--data", "sklearn:digits") == Add(task="cubs", data="sklearn:digits")
    assert asked("prune", "f", "0.5") == Prune(ratio=0.5)
    assert asked("train", "f") == Train()
    assert asked("train", "f").resumes
    assert asked("eval", "f") == Evaluate()


def test_a_recipe_by_name_depends_on_the_data_and_options_change_it(asked, monkeypatch, file):
    command = asked("add", "f", "x", "--data", "places365:/d", "--recipe", "paper")
    assert command.recipe == recipes.named("paper", "places365:/d")
    assert command.recipe.epochs == 10
    command = asked("add", "f", "x", "--data", "places365:/d", "--recipe", "paper", "--epochs", "20", "--pick", "last")
    assert command.recipe == recipes.named("paper", "places365:/d").changed({"epochs": 20, "pick": "last"})
    assert asked("prune", "f", "0.5", "--recipe", "paper") == Prune(ratio=0.5, named="paper")
    asked_for = asked("train", "f", "--recipe", "paper", "--lr", "0.1", "--decay-epoch", "2")
    assert asked_for == Train(named="paper", recipe={"lr": 0.1, "decay_epoch": 2})
    monkeypatch.setitem(recipes.RECIPES, "ours", {"": {"own": ("norms",), "steps": 3, "schedule": "cosine"}})
    command = asked("add", str(file), "x", "--data", "d.npz", "--recipe", "ours")
    assert (command.own, command.steps, command.recipe.schedule) == (("norms",), 3, "cosine")
    command = asked("add", "f", "x", "--data", "d.npz", "--recipe", "ours", "--steps", "1", "--own", "biases")
    assert (command.own, command.steps) == (("biases",), 1)


def test_the_other_commands_pass_their_options_on(asked):
    command = asked("prune", "f", "0.5", "--layer", "features.*=0.3", "--layer", "a=b=0.9", "--retrain-epochs", "2")
    assert command == Prune(ratio=0.5, layers={"features.*": 0.3, "a=b": 0.9}, recipe={"retrain_epochs": 2})
    command = asked("prune", "f", "--max-drop", "1.5", "--trials", "4", "--steps", "2")
    assert command == Prune(ratio=0.95, max_drop=1.5, trials=4, steps=2)
    assert asked("prune", "f", "0.8", "--max-drop", "0") == Prune(ratio=0.8, max_drop=0)
    assert asked("train", "f", "--epochs", "5", "--lr", "0.1") == Train(recipe={"epochs": 5, "lr": 0.1})
    assert asked("eval", "f", "a", "b", "--limit", "500") == Evaluate(tasks=("a", "b"), limit=500)
    one = {"a": "sklearn:digits", "c": "torchvision:MNIST"}
    said = asked("eval", "f", "a=sklearn:digits", "b", "c=torchvision:MNIST")
    assert said == Evaluate(tasks=("a", "b", "c"), sources=one)
    assert asked("eval", "f", "--mixed", "/m.npz") == Evaluate(mixed="/m.npz")
    assert asked("drop", "f", "a", "--yes") == Drop(task="a", yes=True)
    assert asked("undo", "f") == Undo()
    assert asked("discard", "f", "-y") == Discard(yes=True)


def test_a_task_may_have_an_equals_sign_in_its_name():
    assert task_and_data("a=b", ["a=b", "c"]) == ("a=b", None)
    assert task_and_data("c=sklearn:digits", ["a=b", "c"]) == ("c", "sklearn:digits")


def test_a_pruning_needs_a_ratio_or_what_it_may_cost(capsys):
    assert packnet(["prune", "f"]) == 2
    assert "give a ratio, such as 0.75, or the points it may cost: --max-drop 1" in one_line(capsys.readouterr().err)


def complete(*words: str) -> list[str]:
    """What bash would offer for the last word."""
    result = subprocess.run(
        [SCRIPTS / "packnet"],
        env={"_PACKNET_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)},
        capture_output=True,
        text=True,
    )
    assert result.stderr == ""
    return result.stdout.split()


def test_completion_of_names_in_the_file(file):
    assert complete("packnet", "eval", str(file), "le") == ["letters"]
    assert complete("packnet", "prune", str(file), "0.5", "--layer", "feat") == ["features.0=", "features.3="]
    assert complete("packnet", "add", str(file), "x", "--layers", "c") == ["conv", "classifier", "classifier.0"]


def test_completion_says_nothing_of_a_file_it_cannot_read(tmp_path):
    assert complete("packnet", "eval", str(tmp_path / "none"), "le") == []


def test_completion_of_data_and_commands(tmp_path, monkeypatch):
    assert complete("packnet", "ver") == ["verify"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "numbers.npz").touch()
    (tmp_path / "notes.txt").touch()
    assert options.complete_data("") == ["sklearn:digits", "torchvision:", "numbers.npz", "pictures/"]
    assert options.complete_data("pi") == ["pictures/"]
