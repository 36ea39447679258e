"""`packnet demo` and the two commands of `packnet-tui`, without a terminal and with one."""

from packnet_core.packfile.header import read_header
from packnet_tui.cli import demo
from packnet_tui.cli.main import packnet
from packnet_tui.workbench.launch import main as workbench
from tests.tui.cli.conftest import SCRIPTS, one_line
from tests.tui.cli.terminal import Terminal


def test_demo_packs_three_real_tasks(tmp_path, run):
    result = run("demo", program="packnet-tui")  # without a terminal it is the same as packnet demo
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[-1] == "open it with: packnet-tui open demo.safetensors"
    assert sum(line.startswith("pruned") for line in lines) == 3
    assert result.stdout.replace("\n", "").isprintable()
    document = read_header(tmp_path / "demo.safetensors").document
    assert [task.name for task in document.tasks] == list(demo.TASKS)
    for task in document.tasks:
        assert task.error.top1 < 10 < task.chance
    assert document.free > 0


def test_both_programs_run_the_same_demo(monkeypatch):
    asked = []
    monkeypatch.setattr(demo, "run_demo", lambda file: asked.append(file) or 0)
    assert (packnet(["demo", "a"]), workbench(["demo", "a"]), packnet(["demo"])) == (0, 0, 0)
    assert [str(file) for file in asked] == ["a", "a", "demo.safetensors"]


def test_demo_never_overwrites(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo.safetensors").write_text("mine")
    for program in (packnet, workbench):
        assert program(["demo"]) == 2
        assert "packnet-tui open demo.safetensors" in one_line(capsys.readouterr().err)
    assert (tmp_path / "demo.safetensors").read_text() == "mine"


def test_demo_without_scikit_learn_says_how_to_get_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    assert packnet(["demo", str(tmp_path / "a.safetensors")]) == 2
    assert 'pip install "packnet-tui[demo]"' in one_line(capsys.readouterr().err)


def test_open_without_a_terminal_names_what_works_without(file, run):
    result = run("open", file, program="packnet-tui")
    assert (result.returncode, result.stdout) == (2, "")
    error = one_line(result.stderr)
    assert f"packnet inspect {file}" in error
    assert f"packnet watch {file}" in error


def test_open_on_a_dumb_terminal_too(file, tmp_path):
    terminal = Terminal(SCRIPTS / "packnet-tui", "open", file, cwd=tmp_path, TERM="dumb")
    assert terminal.wait() == 2
    assert b"packnet inspect" in terminal.output
    assert b"\x1b" not in terminal.output


def test_open_of_a_wrong_file_is_one_line(tmp_path, run):
    result = run("open", "nowhere.safetensors", program="packnet-tui")
    assert result.returncode == 2
    assert "make one with: packnet new" in one_line(result.stderr)
