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


def test_open_of_wrong_files_is_one_line_for_each(tmp_path, run):
    (tmp_path / "torn.safetensors").write_bytes(b"not a pack file, surely")
    result = run("open", "nowhere.safetensors", "torn.safetensors", program="packnet-tui")
    assert (result.returncode, result.stdout) == (2, "")
    first, second = result.stderr.splitlines()
    assert first.startswith("packnet: there is no file nowhere.safetensors; make one with: packnet new")
    assert second.startswith("packnet: torn.safetensors is not a whole safetensors file")


def test_open_of_a_wrong_file_beside_a_good_one_goes_on_to_the_terminal(file, run):
    result = run("open", "nowhere.safetensors", file, program="packnet-tui")
    assert f"packnet inspect {file}" in one_line(result.stderr)


def test_open_trusts_for_the_files_that_name_the_function_and_refuses_if_none_does(file, run):
    result = run("open", "nowhere.safetensors", file, "--trust", "other:net", program="packnet-tui")
    assert result.returncode == 2
    assert "model.safetensors names 'tiny:net' as its architecture, not 'other:net'" in one_line(result.stderr)


def test_help_of_open_says_that_it_takes_several_files(run):
    result = run("open", "--help", program="packnet-tui")
    assert result.stdout.startswith("Usage: packnet-tui open [OPTIONS] {FILE}...")
    assert "packnet-tui open runs/*.safetensors" in result.stdout


def test_the_shell_completes_every_file_itself(run):
    asked = {"_PACKNET_TUI_COMPLETE": "complete_bash", "COMP_WORDS": "packnet-tui open a b", "COMP_CWORD": "3"}
    assert run(program="packnet-tui", **asked).stdout.strip() == ""
    script = run("--show-completion", "bash", program="packnet-tui").stdout
    assert "complete -o default -F" in script
