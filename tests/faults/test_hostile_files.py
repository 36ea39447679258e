"""Files from strangers: whatever their bytes, a valid read or one clear line, and nothing reaches the terminal raw."""

import json
import shutil

import pytest

from packnet_core.engine import client
from packnet_core.errors import FileError
from packnet_core.jobs import journal
from packnet_core.packfile import checkpoint_header
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.events import Note
from packnet_tui.cli.main import packnet
from packnet_tui.state.watch import Watch
from packnet_tui.workbench.app import PacknetApp
from tests.tui.cli import handmade
from tests.tui.cli.conftest import one_line

OSC = "\x1b]0;owned\x07\x9b5i\u202e"
BAD = b"\xff"  # never valid in UTF-8


def damaged(path, old: bytes, new: bytes):
    """Replace bytes of a file by as many others."""
    raw = path.read_bytes()
    assert len(old) == len(new)
    assert old in raw
    path.write_bytes(raw.replace(old, new))


@pytest.fixture
def path(tmp_path):
    return handmade.write(tmp_path / "net.safetensors", handmade.document())


@pytest.mark.parametrize("old", [b"features.3.weight", b"tiny:net", b"letters", b"__metadata__", b"F32"])
def test_an_invalid_byte_in_the_header_is_one_line(path, capsys, old):
    damaged(path, old, BAD + old[1:])
    with pytest.raises(FileError):
        read_header(path)
    for command in ("inspect", "verify", "forecast", "eval", "train"):
        assert packnet([command, str(path)]) == 2
        one_line(capsys.readouterr().err)


def test_an_invalid_byte_beside_the_file_is_passed_over(path):
    paths = Paths(path)
    handmade.journal(path, Note(text="before")).close()
    paths.journal.write_bytes(paths.journal.read_bytes() + b'{"at":1,"job":1,"event":{"type":"note","text":"\xff"}}\n')
    handmade.journal(path, Note(text="after")).close()
    assert [entry.event.text for entry in journal.read(paths.journal)] == ["before", "after"]
    paths.address.write_bytes(b'{"socket":"\xff","pid":1}')
    assert client.connect(path) is None
    shutil.copy(path, paths.checkpoint)
    for text in (b"tiny:net", b"letters"):
        damaged(paths.checkpoint, text, BAD + text[1:])
    assert checkpoint_header.find(paths.checkpoint, read_header(path).document) is None


def test_a_checkpoint_whose_description_is_no_text_is_passed_over(path):
    description = '{"base":"…"'
    raw = json.dumps({"__metadata__": {"checkpoint": description}}).encode().replace(b"\\u2026", b"\\ud800")
    Paths(path).folder.mkdir(exist_ok=True)
    Paths(path).checkpoint.write_bytes(len(raw).to_bytes(8, "little") + raw)
    assert checkpoint_header.find(Paths(path).checkpoint, read_header(path).document) is None


async def test_a_live_swap_to_an_unreadable_file_leaves_the_workbench_running(path):
    app = PacknetApp(path, readonly=True)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause(0.5)
        damaged(path, b"letters", BAD + b"etters")
        for _ in range(50):
            await pilot.pause(0.1)
            if any(line.level == "error" for line in app.picture.log):
                break
        assert any("can't be read" in line.text for line in app.picture.log)
        assert app.picture.document.tasks[1].name == "letters"  # the last picture stays
        assert app.is_running


@pytest.fixture
def hostile(tmp_path):
    """A file with control sequences in every name."""
    given = handmade.document([{**task, "name": task["name"] + OSC, "digest": OSC} for task in handmade.TASKS])
    given["architecture"]["name"] += OSC
    for task in given["tasks"]:
        task["classes"] = [name + OSC for name in task["classes"]]
        task["data"]["source"] = OSC
    given["history"].append({"at": 1.0, "task": OSC, "what": OSC})
    return handmade.write(tmp_path / "hostile.safetensors", given)


def test_names_in_a_file_never_steer_the_terminal(hostile, capfd):
    handmade.journal(hostile, Note(text=OSC)).close()
    task = read_header(hostile).document.tasks[0].name
    for words in (["inspect"], ["inspect", "--json"], ["forecast"], ["eval"], ["verify"], ["drop", "--yes"], ["watch"]):
        packnet([words[0], str(hostile), *words[1:], *([task] if words[0] == "drop" else [])])
    out, err = capfd.readouterr()
    assert (out + err).replace("\n", "").isprintable()
    assert r"\x1b]0;owned\x07\x9b5i\u202e" in out


def test_completion_proposes_no_name_that_steers_the_terminal(hostile, tmp_path):
    from packnet_tui.cli import completion, options

    (tmp_path / f"data{OSC}").mkdir()
    (tmp_path / f"data{OSC}.npz").touch()
    (tmp_path / "data").mkdir()
    assert completion.completions(f"{tmp_path}/d") == [f"{tmp_path}/data/"]
    assert all(name.isprintable() for name in options.task_names(hostile))


async def test_names_in_a_file_never_steer_the_workbench(hostile):
    handmade.journal(hostile, Note(text=OSC)).close()
    app = PacknetApp(hostile, readonly=True)
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.pause(0.5)
        drawn = "".join(segment.text for line in app.screen._compositor.render_strips() for segment in line)
        assert r"\x1b]0;owned" in drawn
        assert drawn.replace("\n", "").isprintable()


def test_the_picture_has_only_printable_text(hostile):
    handmade.journal(hostile, Note(text=OSC)).close()
    picture = Watch(hostile).picture
    assert OSC[0] not in repr(picture).replace("\\\\x1b", "")
    assert all(row.name.isprintable() for row in picture.tasks)
