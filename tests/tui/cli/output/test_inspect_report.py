"""`packnet inspect`: the JSON that scripts rely on, the tables, and how little it imports."""

import json
import subprocess
import sys
from datetime import datetime

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from packnet_core.jobs import run_job
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Evaluate
from packnet_core.schema.document import Error
from packnet_core.schema.events import Compared, Epoch, Evaluated, JobStarted, Note
from packnet_tui.cli.main import packnet
from packnet_tui.cli.output.text_tables import aligned
from tests.tui.cli import handmade
from tests.tui.cli.conftest import one_line
from tests.worlds import add, images, pack_file


def facts(path, capsysbinary) -> dict:
    assert packnet(["inspect", str(path), "--json"]) == 0
    return json.loads(capsysbinary.readouterr().out)


def evaluated(task: str, top1: float) -> Evaluated:
    return Evaluated(task=task, error=Error(top1=top1, top5=None, images=50), loss=0.5, seconds=1)


def compared(task: str, baseline: str, top1: float) -> Compared:
    return Compared(task=task, baseline=baseline, error=Error(top1=top1, top5=None, images=50))


def test_json_is_as_promised(file, capsysbinary):
    given = facts(file, capsysbinary)
    assert list(given) == ["format", "architecture", "input", "tasks", "layers", "totals", "bytes"]
    assert given["format"] == 1
    assert given["architecture"]["name"] == "tiny:net"
    assert given["input"] == {"channels": 1, "size": 8, "mean": [0.5], "std": [0.25]}
    assert given["tasks"][0] == {
        "name": "digits",
        "index": 1,
        "phase": "sealed",
        "classes": 10,
        "weights": 18 + 100 + 160,
        "prune_ratio": 0.5,
        "error": {"top1": 12.5, "top5": 1.25, "images": 400},
        "last_evaluation": None,
        "digest": "sha256:" + "cd" * 32,
    }
    assert given["tasks"][1]["error"]["top5"] is None  # five classes: no top-5
    assert given["layers"][0] == {
        "name": "features.0.weight",
        "shape": [4, 1, 3, 3],
        "weights": 36,
        "free": 9,
        "owned": [18, 9],
    }


def test_sums_add_up(file, capsysbinary):
    given = facts(file, capsysbinary)
    layers, totals = given["layers"], given["totals"]
    for layer in layers:
        assert layer["free"] + sum(layer["owned"]) == layer["weights"] == handmade.product(layer["shape"])
        assert len(layer["owned"]) == len(given["tasks"])
    for what in ("weights", "free"):
        assert totals[what] == sum(layer[what] for layer in layers)
    assert totals["owned"] == [task["weights"] for task in given["tasks"]] == [278, 53]
    sizes = given["bytes"]
    assert sizes["file"] == file.stat().st_size
    assert sizes["network"] == 4 * totals["weights"]
    assert sizes["owners"] == sum((layer["weights"] + 7) // 8 for layer in layers)
    assert sizes["rest"] == 16
    assert sizes["heads"] == 4 * (11 * 10 + 11 * 5)


def test_last_evaluation_comes_from_the_journal(file, capsysbinary):
    handmade.journal(
        file, evaluated("digits", 14.0), evaluated("letters", 40.0), evaluated("digits", 13.0), Note(text='"evaluated"')
    ).close()
    with open(file.with_suffix(".packnet") / "journal.jsonl", "ab") as journal:
        journal.write(b'{"event": {"type": "evaluated", "task": "digits", torn')
    first, second = (task["last_evaluation"] for task in facts(file, capsysbinary)["tasks"])
    assert (first["top1"], first["top5"], first["images"], second["top1"]) == (13.0, None, 50, 40.0)
    when = datetime.fromisoformat(first["when"])
    assert first["when"].endswith("Z")
    assert abs((datetime.now(when.tzinfo) - when).total_seconds()) < 3600


def test_an_evaluation_on_some_images_is_never_the_last_evaluation(file, capsysbinary):
    some = replace(evaluated("digits", 18.4), error=Error(top1=18.4, top5=None, images=20), of=400)
    handmade.journal(file, evaluated("digits", 13.0), some).close()
    first, second = facts(file, capsysbinary)["tasks"]
    assert first["last_evaluation"]["top1"] == 13.0
    found = first["limited_evaluation"]
    assert (found["top1"], found["images"], found["of"]) == (18.4, 20, 400)
    assert "limited_evaluation" not in second
    assert packnet(["inspect", str(file)]) == 0
    table = capsysbinary.readouterr().out.decode().split("\n\n")[1].splitlines()
    assert table[-1] == "digits now: test error ≈ 18.40 % on 20 of 400 images"
    assert "13.00" in table[1]


def test_evaluations_of_a_dropped_task_or_a_former_file_do_not_count(tmp_path, capsysbinary):
    far = 4e9  # later than all that the journal says
    history = [
        {"at": 1000.0, "task": None, "what": "new tiny:net"},
        {"at": far, "task": "letters", "what": "drop letters"},
    ]
    path = handmade.write(tmp_path / "a.safetensors", handmade.document(history=history))
    handmade.journal(path, evaluated("letters", 1.0), evaluated("digits", 2.0)).close()
    assert [bool(task["last_evaluation"]) for task in facts(path, capsysbinary)["tasks"]] == [True, False]
    handmade.write(path, handmade.document(history=[{"at": far, "task": None, "what": "new tiny:net"}]))
    assert [bool(task["last_evaluation"]) for task in facts(path, capsysbinary)["tasks"]] == [False, False]


@pytest.mark.parametrize("where", [{"data": "/other"}, {"sources": {"digits": "/other"}}, {"mixed": "/mixed.npz"}])
def test_an_evaluation_on_other_data_is_not_the_tasks_error_now(file, capsysbinary, where):
    own, other = (JobStarted(command=Evaluate(**w), pid=1, device="cpu") for w in ({}, where))
    handmade.journal(file, own, evaluated("digits", 13.0), other, evaluated("digits", 60.0)).close()
    assert facts(file, capsysbinary)["tasks"][0]["last_evaluation"]["top1"] == 13.0


def test_comparisons_come_from_the_journal_too(file, capsysbinary):
    old = [compared("letters", "individual", 25.0), compared("gone", "individual", 1.0)]
    new = [compared("letters", "individual", 20.0), compared("letters", "classifier", 60.0), Note(text='"compared"')]
    handmade.journal(file, *old, *new).close()
    first, second = facts(file, capsysbinary)["tasks"]
    assert "comparisons" not in first
    found = second["comparisons"]
    assert {name: error["top1"] for name, error in found.items()} == {"classifier": 60.0, "individual": 20.0}
    assert set(found["individual"]) == {"top1", "top5", "images", "when"}
    assert packnet(["inspect", str(file)]) == 0
    assert capsysbinary.readouterr().out.decode().split("\n\n")[2].splitlines() == [
        "task     error  classifier  individual  gap closed",
        "letters  30.00       60.00       20.00        75 %",
    ]


def test_comparisons_of_a_dropped_task_of_the_same_name_do_not_count(tmp_path, capsysbinary):
    history = [
        {"at": 1000.0, "task": None, "what": "new tiny:net"},
        {"at": 4e9, "task": "letters", "what": "drop letters"},
    ]
    path = handmade.write(tmp_path / "a.safetensors", handmade.document(history=history))
    handmade.journal(path, compared("letters", "individual", 20.0), compared("digits", "lwf", 40.0)).close()
    assert ["comparisons" in task for task in facts(path, capsysbinary)["tasks"]] == [True, False]


def test_tables_are_aligned_and_fit_80_columns(file, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert packnet(["inspect", str(file)]) == 0
    text = capsys.readouterr().out
    summary, tasks, layers = (block.splitlines() for block in text.strip("\n").split("\n\n"))
    assert summary == [
        "model.safetensors: tiny:net, input 1×8×8, 2 tasks",
        "644 weights, 313 free (48.6 %)",
        f"{file.stat().st_size / 1000:.1f} kB: network 2.6 kB, owners 81 bytes, heads 660 bytes, rest 16 bytes",
    ]
    assert tasks == [
        "#  task     state   classes  owns  prune  error  top-5  digest",
        "1  digits   sealed       10   278   0.50  12.50   1.25  cdcdcdc",
        "2  letters  pruned        5    53   0.50  30.00      –  cdcdcdc",
    ]
    assert layers == [
        "layer         shape    weights  free %     1     2",
        "features.0    4×1×3×3       36    25.0  50.0  25.0",
        "features.3    8×4×3×3      288    50.0  34.7  15.3",
        "classifier.0  10×32        320    50.0  50.0   0.0",
        "total                      644    48.6  43.2   8.2",
    ]


@pytest.mark.parametrize("tasks", [1, 12, 254])
def test_many_tasks_and_long_names_still_fit(tmp_path, capsys, monkeypatch, tasks):
    monkeypatch.setenv("COLUMNS", "80")
    many = [handmade.task(f"{'long ' * 8}{i}", "sealed", 2, None) for i in range(tasks)]
    owned = {name: [1] * min(tasks, 36) + [0] * (tasks - 36) for name in handmade.LAYERS}
    path = handmade.write(tmp_path / "a.safetensors", handmade.document(many, owned))
    assert packnet(["inspect", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    headings, first = (line.split() for line in lines if line.startswith(("layer", "features.0")))
    assert len(headings) == len(first) + 1  # "free %" is two words
    shares = [float(share) for share in first[4:]]
    assert sum(shares) + float(first[3]) == pytest.approx(100, abs=0.3)
    if tasks > 4:
        assert headings[5] == f"1–{tasks - len(shares) + 1}"
    assert headings[-1] == str(tasks) or tasks > 4


def test_a_file_without_tasks(tmp_path, capsys):
    path = handmade.write(tmp_path / "a.safetensors", handmade.document([]))
    assert packnet(["inspect", str(path)]) == 0
    assert "644 weights, 644 free (100.0 %)" in capsys.readouterr().out


def test_names_out_of_a_file_never_steer_the_terminal(tmp_path, capsys):
    hostile = [handmade.task("\x1b]0;owned\x07\n", "sealed", 2, None)]
    path = handmade.write(tmp_path / "a.safetensors", handmade.document(hostile))
    assert packnet(["inspect", str(path)]) == 0
    text = capsys.readouterr().out
    assert text.replace("\n", "").isprintable()
    assert r"\x1b]0;owned\x07\n" in text


def test_wide_characters_keep_columns_straight():
    table = [["task", "n"], ["手書き数字", "1"], ["digits", "2"], ["é" * 40, "3"], ["数" * 40, "4"]]
    assert {cell_len(line) for line in aligned(table, 20, {"task"}, 0)} == {20}


def test_imports_neither_torch_nor_numpy_nor_textual_nor_typer_nor_what_rich_draws_with(file):
    script = (
        "import sys; from packnet_tui.cli.main import packnet; status = packnet(sys.argv[1:]); "
        "print({'torch', 'numpy', 'textual', 'typer', 'pydantic', 'rich.text'} & set(sys.modules), file=sys.stderr); "
        "sys.exit(status)"
    )
    for arguments in (["--json"], []):
        result = subprocess.run(
            [sys.executable, "-c", script, "inspect", str(file), *arguments], capture_output=True, text=True, check=True
        )
        assert result.stderr == "set()\n"


def test_the_short_way_and_typers_way_print_the_same(file, run):
    for short, long in (([file], ["--", file]), ([file, "--json"], ["--json", "--", file])):
        results = [run("inspect", *arguments) for arguments in (short, long)]
        assert results[0].stdout == results[1].stdout != ""
        assert [result.returncode for result in results] == [0, 0]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a whole safetensors file"),
        (b"x" * 100, "not a whole safetensors file"),
        (b"\x02\0\0\0\0\0\0\0{}", "plain safetensors file, not a pack file"),
        (None, "make one with: packnet new"),
    ],
)
def test_wrong_files_are_one_line_and_status_2(tmp_path, run, content, says):
    path = tmp_path / "a.safetensors"
    if content is not None:
        path.write_bytes(content)
    for arguments in ([], ["--json"]):
        result = run("inspect", path, *arguments)
        assert (result.returncode, result.stdout) == (2, "")
        assert says in one_line(result.stderr)


def test_a_closed_pipe_is_no_error(file):
    result = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m packnet_tui.cli.main inspect '{file}' | true"],
        capture_output=True,
        text=True,
    )
    assert result.stderr == ""


def test_an_interrupted_job_is_shown(tmp_path, capsysbinary):
    path, data = pack_file(tmp_path / "net.safetensors"), images(tmp_path / "data.npz")
    assert "interrupted" not in facts(path, capsysbinary)
    entries = run_job.run(path, add("one", data))
    next(entry for entry in entries if isinstance(entry.event, Epoch))
    entries.close()
    assert facts(path, capsysbinary)["interrupted"] == {"what": "add one --prune 0.5", "phase": "train", "epoch": 2}
    assert packnet(["inspect", str(path)]) == 0
    said = capsysbinary.readouterr().out.decode()
    assert "interrupted: add one --prune 0.5 (training, epoch 2 of 2); resume it: packnet train " in said
    assert f"or give it up: packnet discard {path}" in said


def test_a_running_job_is_not_called_interrupted(tmp_path, capsysbinary):
    path, data = pack_file(tmp_path / "net.safetensors"), images(tmp_path / "data.npz")
    entries = run_job.run(path, add("one", data))
    next(entry for entry in entries if isinstance(entry.event, Epoch))
    assert Paths(path).checkpoint.exists()
    assert "interrupted" not in facts(path, capsysbinary)
    assert packnet(["inspect", str(path)]) == 0
    said = capsysbinary.readouterr().out.decode()
    assert "interrupted" not in said
    assert "running: add one --prune 0.5; watch it: packnet watch " in said
    entries.close()
