"""Code that a pack file names runs only if this user allowed it; reading a file never runs any (law 6)."""

import os
import sys

import msgspec
import pytest

from packnet_core.errors import RequestError
from packnet_core.packfile import storage, trust
from packnet_core.packfile.export import export
from packnet_core.packfile.header import read_header
from packnet_core.packfile.verify import verify
from packnet_tui.cli.main import packnet
from tests.tui.cli.conftest import one_line
from tests.worlds import add, images, pack_file, rewrite, work

NETWORK = """
from pathlib import Path
from torch import nn
def net():
    with open(Path(__file__).with_name("ran"), "a") as file:
        file.write("x")
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, 3))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a file of one task, whose module leaves `modules/ran` behind, and its maker's state."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "modules").mkdir()
    (folder / "modules" / "theirs.py").write_text(NETWORK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        patch.syspath_prepend(folder / "modules")
        path = pack_file(folder / "made.safetensors", "theirs:net")
        work(path, add("one", images(folder / "one.npz")))
        assert trust.is_trusted(path, "theirs:net")  # who makes a file needs no more words
        yield path
    sys.modules.pop("theirs", None)


@pytest.fixture
def stranger(made, tmp_path, monkeypatch):
    """The same file in the hands of a user who has trusted nothing yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made.with_name("modules").joinpath("ran").unlink(missing_ok=True)
    path = tmp_path / "net.safetensors"
    path.write_bytes(made.read_bytes())
    return path


@pytest.fixture
def ran(made):
    """Whether the function was called."""
    return made.with_name("modules").joinpath("ran").exists


def test_reading_a_file_runs_no_code_that_it_names(stranger, ran, capsys):
    assert all(finding.ok for finding in verify(stranger))
    export(stranger, "one", stranger.with_name("out.safetensors"))
    for words in (["inspect"], ["verify"], ["forecast"], ["inspect", "--json"]):
        assert packnet([words[0], str(stranger), *words[1:]]) == 0
    assert not ran()


def test_work_on_a_stranger_s_file_says_what_to_say_and_runs_nothing(stranger, ran, capsys):
    for words in (["eval"], ["train"], ["add", "two", "--data", "sklearn:digits"], ["preview"]):
        status = packnet([words[0], str(stranger), *words[1:]])
        assert (status, "--trust theirs:net" in one_line(capsys.readouterr().err)) == (2, True)
    assert not ran()


def test_trust_is_remembered_and_goes_with_copies(stranger, capsys):
    assert packnet(["eval", str(stranger), "--trust", "theirs:net"]) == 0
    assert packnet(["eval", str(stranger)]) == 0
    copied, renamed = stranger.with_name("copied.safetensors"), stranger.with_name("renamed.safetensors")
    copied.write_bytes(stranger.read_bytes())
    stranger.rename(renamed)
    for path in (copied, renamed):
        assert packnet(["eval", str(path)]) == 0


def test_trust_is_for_the_module_in_its_place(stranger, tmp_path, ran, monkeypatch, capsys):
    """A stranger's module of the same name, found first, has not been trusted."""
    trust.allow(stranger, "theirs:net")
    assert trust.is_trusted(stranger, "theirs:net")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "theirs.py").write_text("import os\nos._exit(3)\n")
    monkeypatch.syspath_prepend(tmp_path / "here")
    monkeypatch.delitem(sys.modules, "theirs", raising=False)
    assert not trust.is_trusted(stranger, "theirs:net")
    assert packnet(["eval", str(stranger)]) == 2
    assert "--trust theirs:net" in one_line(capsys.readouterr().err)


def test_another_function_of_a_trusted_module_is_not_trusted(stranger):
    trust.allow(stranger, "theirs:net")
    assert not trust.is_trusted(stranger, "theirs:Path")
    assert not trust.is_trusted(stranger, "theirs.sub:net")


def test_whether_a_package_is_trusted_is_found_without_running_it(stranger, tmp_path, monkeypatch):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("raise SystemExit\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert not trust.is_trusted(stranger, "pack.inner:net")
    assert not trust.is_trusted(stranger, ":net")
    assert not trust.is_trusted(stranger, "..:net")


def test_trust_names_what_the_file_names(stranger, capsys):
    assert packnet(["eval", str(stranger), "--trust", "os:abort"]) == 2
    assert "names 'theirs:net' as its architecture, not 'os:abort'" in one_line(capsys.readouterr().err)
    assert not trust.is_trusted(stranger, "os:abort")


def test_the_python_api_asks_for_the_same(stranger, ran, monkeypatch):
    import packnet_core

    with pytest.raises(RequestError, match="trust='theirs:net'"):
        packnet_core.open(stranger).evaluate()
    assert not ran()
    monkeypatch.setattr(trust, "_try", lambda _: None)  # tried by the test below
    assert packnet_core.open(stranger, trust="theirs:net").evaluate()


@pytest.mark.parametrize("function", ["os:abort", "sys:exit"])
def test_a_function_that_ends_its_process_ends_in_one_line(stranger, capsys, function):
    rewrite(stranger, lambda d: d["architecture"].update(name=function))
    assert packnet(["eval", str(stranger), "--trust", function]) == 2
    assert function in one_line(capsys.readouterr().err)
    assert not trust.is_trusted(stranger, function)


def test_a_function_that_aborts_for_a_new_file_is_one_line_too(tmp_path, capsys):
    assert packnet(["new", str(tmp_path / "new.safetensors"), "--arch", "os:abort"]) == 2
    assert "os:abort built no network: its process was ended by signal 6" in one_line(capsys.readouterr().err)


def test_a_function_that_never_returns_is_given_up(made, stranger, monkeypatch):
    (made.parent / "modules" / "slow.py").write_text("import time\ndef net(): time.sleep(1000)\n")
    monkeypatch.setattr(trust, "PATIENCE", 0.5)
    with pytest.raises(RequestError, match="slow:net has not returned"):
        trust.allow(stranger, "slow:net")


def test_a_checkpoint_can_t_name_other_code_than_its_file(stranger):
    stored = storage.read(stranger)
    other = msgspec.structs.replace(stored.document.architecture, name="os:abort")
    hostile = msgspec.structs.replace(stored.document, architecture=other)
    changed = storage.Stored(stored.path, hostile, stored.weights, stored.owners, stored.rest, stored.own, stored.heads)
    with pytest.raises(RequestError, match="os:abort"):
        storage.network_of(changed, stranger)


def test_the_engine_takes_no_code_from_the_current_folder(tmp_path):
    from packnet_core.engine import client

    path = pack_file(tmp_path / "net.safetensors")
    hostile = tmp_path / "here"
    hostile.mkdir()
    for name in ("filelock", "msgspec", "torch", "signal"):
        (hostile / f"{name}.py").write_text("import os; os._exit(3)\n")
    before = os.getcwd()
    os.chdir(hostile)
    try:
        with client.start(path) as engine:
            assert engine.status().pid
            engine.leave()
    finally:
        os.chdir(before)


def test_the_record_passes_over_what_it_can_t_read(stranger):
    from packnet_core.packfile.paths import Paths

    record = trust._path()
    record.parent.mkdir(parents=True)
    record.write_bytes(b"\xff\n{}\n" + msgspec.json.encode(trust.Trusted(str(Paths(stranger).file), "a:b")) + b"\n[")
    assert trust.is_trusted(stranger, "a:b")
    assert not trust.is_trusted(stranger, "a:c")


def test_verify_says_that_an_architecture_of_packnet_s_own_does_not_fit(stranger, capsys):
    rewrite(stranger, lambda d: d["architecture"].update(name="cifar_resnet20"))
    assert packnet(["verify", str(stranger)]) == 2
    assert "cifar_resnet20 disagree" in one_line(capsys.readouterr().err)
    assert read_header(stranger).document.tasks
