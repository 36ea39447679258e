"""`packnet paper`: every experiment end to end at toy size; a run stopped half way and resumed; the files it writes."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from packnet_tui.cli.main import packnet
from tests.worlds import images

EXPERIMENTS = ["table2", "table3", "table4", "table5", "table6", "figure2", "figure3", "figure4", "figure5", "ablation"]


def arguments(folder, out, *experiments) -> list[str]:
    """Two tasks after a first one, each with 30 training images and one epoch."""
    for seed, name in enumerate(("first", "red", "blue")):
        if not (folder / f"{name}.npz").exists():
            images(folder / f"{name}.npz", classes=3, train=30, test=12, seed=seed)
    text = f"""paper {" ".join(experiments)} --arch tests.networks:toy --input-size 8
        --first first={folder}/first.npz --tasks red={folder}/red.npz blue={folder}/blue.npz
        --runs 1 --epochs 1 --retrain-epochs 1 --lr 0.05 --batch-size 12 --first-epochs 1 --out {out}"""
    return text.split()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """All experiments in one command: they share most cells."""
    folder = tmp_path_factory.mktemp("paper")
    assert packnet(arguments(folder, folder / "out", *EXPERIMENTS)) == 0
    return folder


def read(folder, name):
    return json.loads((folder / "out" / f"{name}.json").read_text())


def results_of(folder):
    lines = (folder / "out" / "results.jsonl").read_text().splitlines()
    return {result["name"]: result for result in map(json.loads, lines)}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_is_written_as_json_markdown_and_pictures(world, name):
    found = read(world, name)
    assert found["missing"] == []
    assert found["rows"]
    values = [value for row in found["rows"].values() for value in row if isinstance(value, dict)]
    assert values
    table = (world / "out" / f"{name}.md").read_text()
    for value in values:
        assert f"{value['mean']:.2f}" in table
    assert ET.parse(world / "out" / f"{name}.svg").getroot().tag.endswith("svg")
    assert (world / "out" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_results_state_how_they_were_made(world):
    results = results_of(world)
    assert set(read(world, "table2")["results"]) <= set(results)
    for cell in results.values():
        assert cell["seconds"] >= 0
        assert cell["torch"]
        assert cell["machine"]
    packed = results["packed-half-0-red-blue"]
    assert packed["images"] == {"train": 27, "validation": 3, "test": 12}
    assert packed["recipe"]["seed"] == 0
    assert packed["recipe"]["lr"] == 0.05
    assert packed["epochs"][0]["validation"] is not None


def test_older_tasks_keep_their_errors_to_the_digit(world):
    results = results_of(world)
    after = results["packed-half-0-red-blue"]
    before = {"first": results["packed-half-0"]["error"], "red": results["packed-half-0-red"]["error"]}
    assert {entry["task"]: entry["top1"] for entry in after["older"]} == before
    assert all(after["digests"][name] == results["packed-half-0-red"]["digests"][name] for name in before)


def test_a_mean_is_over_orders_and_the_gap_is_between_classifier_only_and_individual_networks(world):
    found = read(world, "table2")
    results, rows = results_of(world), found["rows"]
    column = found["columns"].index("0.50, 0.75, 0.75")
    red = (results["packed-half-0-red"]["error"] + results["packed-half-0-blue-red"]["error"]) / 2
    assert rows["red"][column]["mean"] == pytest.approx(red)
    shares = []
    for task in ("red", "blue"):
        classifier, packed, own = (rows[task][i]["mean"] for i in (0, column, -1))
        ends = [results[f"individual-{recipe}-0-{task}"]["error"] for recipe in ("paper", "best")]
        assert own == min(ends)
        shares.append(None if classifier <= own else 100 * (classifier - packed) / (classifier - own))
    whole = rows["mean gap closed, %"][column]
    assert (whole and whole["mean"]) == (None if None in shares else pytest.approx(sum(shares) / 2))


def test_a_stopped_run_is_resumed_to_the_same_numbers(world, tmp_path):
    """Killed after a few cells, then run again: finished cells stay, and the table is the same."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "packnet_tui.cli.main", *arguments(world, out, "table4", "--no-pictures")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(4):
            assert "left" in process.stdout.readline()
        process.kill()
    done = {path.name: path.read_bytes() for path in (out / "cells").iterdir()}
    assert len(done) >= 4
    assert packnet(arguments(world, out, "table4", "--no-pictures")) == 0
    assert all((out / "cells" / name).read_bytes() == content for name, content in done.items())
    resumed, whole = json.loads((out / "table4.json").read_text()), read(world, "table4")
    assert resumed["rows"] == whole["rows"]


def test_with_only_some_cells_the_others_are_marked_as_missing(world, tmp_path):
    out = tmp_path / "out"
    assert packnet(arguments(world, out, "table4", "--no-pictures", "--only", "classifier-*")) == 0
    table = (out / "table4.md").read_text()
    assert "cells are not computed yet" in table
    row = next(line for line in table.splitlines() if line.startswith("| red |"))
    assert row.endswith("| – | – |")
    assert not list((out / "cells").glob("packed*"))


def test_other_settings_are_refused_in_the_same_folder(world, capsys):
    assert packnet([*arguments(world, world / "out", "table4"), "--limit", "20"]) == 2
    assert "made with another limit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [(["tableau"], "there is no experiment 'tableau'"), (["table2", "--only", "x"], "no cell")],
)
def test_an_unknown_experiment_or_cell_is_one_clear_error(world, tmp_path, capsys, words, message):
    assert packnet(arguments(world, tmp_path / "out", *words)) == 2
    assert message in capsys.readouterr().err
