"""`packnet forecast`: a table from the header alone, JSON, and the recommended order."""

import json
import subprocess
import sys

import pytest

from tests.tui.cli.conftest import one_line
from tests.worlds import add, images, pack_file, work


def test_a_row_of_ratios_layer_by_layer(file, here):
    out, _ = here("forecast", file, "0.5", "0.75")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line and line.split()[-1].isdigit()}
    assert rows == {
        "features.0": ["36", "25.0", "4", "5"],
        "features.3": ["288", "50.0", "5", "10"],
        "classifier.0": ["320", "50.0", "6", "10"],
        "total": ["644", "48.6", "6", "10"],
    }
    assert "at 0.5, six more tasks: 24.4, 12.1, 6.1, … and 0.8 % of the weights each" in out
    assert "owns at least 1 % of the weights" in out
    assert "pruned at the same ratio first" not in out


def test_without_ratios_they_are_the_papers(file, here):
    out, _ = here("forecast", file)
    assert [line.split(",")[0] for line in out.splitlines() if line.startswith("at ")] == [
        "at 0.5",
        "at 0.75",
        "at 0.9",
    ]


def test_json_has_every_layer_and_what_each_task_would_own(file, here):
    out, _ = here("forecast", file, "0.75", "--least", "0.1", "--json")
    found = json.loads(out)
    (forecast,) = found["forecasts"]
    assert (found["format"], found["least"], forecast["ratio"]) == (1, 0.1, 0.75)
    assert (forecast["tasks"], forecast["owns"]) == (1, [78])
    assert [layer["tasks"] for layer in forecast["layers"]] == [0, 1, 1]
    assert sum(layer["free"] for layer in forecast["layers"]) == forecast["free"]
    assert "order" not in found


def test_it_needs_no_torch(file):
    script = (
        "import sys; from packnet_tui.cli.main import packnet; status = packnet(sys.argv[1:]); "
        "assert 'torch' not in sys.modules; sys.exit(status)"
    )
    result = subprocess.run([sys.executable, "-c", script, "forecast", file], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["1.5"], "a pruning ratio is a share from 0 to 1"),
        (["half"], "a pruning ratio is a share from 0 to 1"),
        (["--order", "birds"], "--order: give NAME=DATA"),
        (["--order", "birds=x", "birds=y"], "--order: 'birds' is there twice"),
        (["--order", "birds=x", "--features", "numbers"], "no task 'numbers' in this file"),
    ],
)
def test_wrong_arguments_are_one_line(file, here, arguments, says):
    assert says in one_line(here("forecast", file, *arguments, status=2)[1])


def test_the_order_that_is_advised(tmp_path, here):
    path = pack_file(tmp_path / "net.safetensors")
    work(path, add("one", images(tmp_path / "one.npz")))
    hard = images(tmp_path / "hard.npz", classes=8, train=60)
    easy = images(tmp_path / "easy.npz", classes=2, train=60)
    given = ["--order", f"easy\x1b={easy}", f"hard={hard}", "--epochs", "1", "--lr", "0.001", "--limit", "40"]
    before = path.read_bytes()
    out, _ = here("forecast", path, *given)
    assert "Tasks that fit" not in out
    assert r"The hardest first (§5.1): hard, easy\x1b" in out
    assert "\x1b" not in out
    found = json.loads(here("forecast", path, "0.5", *given, "--json")[0])
    assert found["order"] == ["hard", r"easy\x1b"]
    assert [entry["classes"] for entry in found["hardness"]] == [8, 2]
    assert found["forecasts"][0]["ratio"] == 0.5
    assert path.read_bytes() == before
