"""Commands after `:` whose output is shown, such as `inspect` and `help add`; and the pane that shows it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from packnet_tui.workbench.screens import output_screen
from packnet_tui.workbench.screens.dialog_help import DialogHelp
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.screens.output_screen import OutputScreen
from packnet_tui.workbench.widgets import output_pane
from packnet_tui.workbench.widgets.output_pane import OutputPane
from tests.tui.made_up import at_rest
from tests.tui.still import SMALL, WIDE, opened
from tests.waiting import until

PACKNET = Path(sys.executable).with_name("packnet")


async def typed(desk, line):
    await desk.press("colon")
    await desk.write(line)
    await desk.press("enter")
    return await desk.sees(OutputScreen)


async def runs(desk, script):
    """Show the output of a Python script, until it has printed something."""
    screen = OutputScreen("a script", [sys.executable, "-c", script])
    desk.app.push_screen(screen)
    return await desk.sees(OutputScreen)


def printed(screen):
    return [line.plain for line in screen.pane.lines]


async def done(desk, screen):
    await desk.until(lambda: "running" not in screen.pane.caption(), "the end of the command")
    await desk.pilot.pause()


@pytest.mark.parametrize(
    ("line", "shell", "size"),
    [
        ("inspect", ("inspect", "FILE"), WIDE),
        ("inspect", ("inspect", "FILE"), SMALL),
        ("inspect --json", ("inspect", "FILE", "--json"), WIDE),
        ("sizes resnet18", ("sizes", "resnet18"), WIDE),
        ("help add", ("add", "--help"), SMALL),
        ("drop --help", ("drop", "--help"), WIDE),
        ("forecast 0.5", ("forecast", "FILE", "0.5"), SMALL),
    ],
)
async def test_the_output_is_that_of_the_shell(tmp_path, line, shell, size):
    path = at_rest(tmp_path / "model.safetensors")
    async with opened(path, size) as desk:
        screen = await typed(desk, line)
        await done(desk, screen)
        command = [PACKNET, *(str(path) if word == "FILE" else word for word in shell)]
        width = str(screen.pane.content_size.width)
        asked = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": width})
        assert asked.returncode == 0
        assert printed(screen) == [text.expandtabs() for text in asked.stdout.splitlines()]
        assert f"packnet {line}  done" in desk.text()
        assert printed(screen)[0][:40] in desk.text()
        await desk.press("y")
        assert desk.app.clipboard == "\n".join(printed(screen))
        await desk.press("escape")
        await desk.sees(MainScreen)
        assert "torch" not in sys.modules or "torch" in BEFORE


BEFORE = frozenset(sys.modules)


async def test_a_failure_is_said_with_its_exit_status(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        screen = await typed(desk, "export nosuch out.safetensors")
        await done(desk, screen)
        assert "nosuch" in printed(screen)[0]
        assert printed(screen)[-1] == "it ended with exit status 2"


async def test_it_scrolls_and_has_help(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors"), SMALL) as desk:
        screen = await runs(desk, "print(*range(1000), sep='\\n')")
        await done(desk, screen)
        for key, first in (("j", "1"), ("k", "0"), ("ctrl+d", "9"), ("ctrl+u", "0"), ("G", "982"), ("g", "0")):
            await desk.press(key)
            shown = desk.text(screen.pane).splitlines()[1].strip("┃ ")
            assert shown == first, key
        await desk.press("question_mark")
        await desk.sees(DialogHelp)
        assert "10,000 lines are kept." in desk.text()


async def test_output_comes_as_it_is_printed_and_x_stops_the_command(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        screen = await runs(desk, "import time\nprint('begun', flush=True)\ntime.sleep(3600)")
        await desk.until(lambda: "begun" in desk.text())
        assert "running; x stops it" in desk.text()
        await desk.press("x")
        await done(desk, screen)
        assert printed(screen)[-1] == "stopped"


@pytest.mark.parametrize("key", ["x", "escape"])
async def test_a_command_that_ignores_sigint_is_killed(tmp_path, monkeypatch, key):
    monkeypatch.setattr(output_screen, "PATIENCE", 0.2)
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        script = (
            "import os, signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint(os.getpid(), flush=True)\n"
        )
        screen = await runs(desk, script + "time.sleep(3600)")
        await desk.until(lambda: screen.pane.lines)
        number = int(printed(screen)[0])
        await desk.press(key)
        await desk.until(lambda: not Path(f"/proc/{number}").exists() or "Z" in state_of(number))
        if key == "escape":
            await desk.sees(MainScreen)


def state_of(number):
    return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]


async def test_leaving_the_screen_stops_the_command(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        screen = await runs(desk, "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(3600)")
        await desk.until(lambda: screen.pane.lines)
        number = int(printed(screen)[0])
    until(lambda: not Path(f"/proc/{number}").exists() or state_of(number) == "Z", "the end of the process")


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (f"import os\nos.kill(os.getpid(), {int(signal.SIGSEGV)})", "it was killed by SIGSEGV"),
        ("1 / 0", "it ended with exit status 1"),
    ],
)
async def test_the_death_of_a_command_is_said(tmp_path, script, says):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        screen = await runs(desk, script)
        await done(desk, screen)
        assert printed(screen)[-1] == says
        assert says in desk.text()


async def test_a_command_that_can_not_be_started_is_said(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        desk.app.push_screen(OutputScreen("nothing", [str(tmp_path / "nothing")]))
        screen = await desk.sees(OutputScreen)
        await done(desk, screen)
        assert printed(screen) == ["it can't be started: No such file or directory"]


async def test_colours_are_kept_and_nothing_else_steers_the_terminal(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        screen = await runs(
            desk, r"print('\x1b[31mred\x1b[0m \x1b[2J \x1b]52;c;eA==\x07 \x9b1m \u202e end\n10 %\r20 %')"
        )
        await done(desk, screen)
        line, progress = screen.pane.lines
        assert line.plain == r"red \x1b[2J \x1b]52;c;eA==\x07 \x9b1m \u202e end"
        assert [(span.start, span.end, span.style.color.number) for span in line.spans][:1] == [(0, 3, 1)]
        assert progress.plain == "20 %"


async def test_only_the_newest_lines_are_kept_and_long_ones_are_folded(tmp_path, monkeypatch):
    monkeypatch.setattr(output_pane, "LONGEST_LINE", 1000)
    async with opened(at_rest(tmp_path / "model.safetensors"), SMALL) as desk:
        screen = await runs(desk, "print(*range(10_500), sep='\\n')\nprint('x' * 300, 'y' * 5000, sep='\\n', end='')")
        await done(desk, screen)
        pane = screen.pane
        assert len(pane.lines) <= output_pane.MOST_LINES
        assert "earlier lines are not kept" in desk.text()
        assert any(line.plain == "x" * 300 for line in pane.lines)
        assert sum(line.plain.count("y") for line in pane.lines) == 5000
        assert all(piece.cell_len <= pane.content_size.width for piece in pane._rows)
        assert sum(piece.plain.count("x") for piece in pane._rows) == 300


async def test_the_memory_for_output_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(output_pane, "MOST_CHARACTERS", 10_000)
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        screen = await runs(desk, "for i in range(100): print(str(i) * 1000)")
        await done(desk, screen)
        assert 0 < sum(len(line) for line in screen.pane.lines) <= 10_000
        assert printed(screen)[-1].startswith("9999")
        assert isinstance(screen.pane, OutputPane)
