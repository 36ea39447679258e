"""The commands of `packnet-tui`: open a file in the workbench, and the demo."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from packnet_core.errors import PacknetError
from packnet_tui.cli import options as o
from packnet_tui.cli.program import make_program
from packnet_tui.cli.request import examples
from packnet_tui.cli.shell import complain, has_terminal, require_terminal
from packnet_tui.state.notices import Notify

app = make_program(
    "Open a pack file in the terminal: see which task owns which weights; add, train, prune and watch.",
    "For scripts, without a terminal: packnet --help",
)

os.environ.setdefault("TEXTUAL_FPS", "120")  # the response to a key takes two frames; the bar is 50 ms

ReadOnly = Annotated[bool, typer.Option("--readonly", help="Watch only: nothing can be changed from here.")]
Ascii = Annotated[bool, typer.Option("--ascii", help="Draw only with ASCII characters.")]

HowToNotify = Annotated[
    Notify | None,
    typer.Option(
        help="Tell the terminal when a job ends: by a bell, or by a desktop notification (OSC 9: iTerm2, WezTerm …; "
        "OSC 777: foot, urxvt …). Within tmux, set its option allow-passthrough (default: do not tell).",
        show_default=False,
    ),
]


Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="The pack files.", show_default=False)]


@app.command(
    name="open",
    epilog=examples(
        "packnet-tui open model.safetensors",
        "packnet-tui open model.safetensors --readonly",
        "packnet-tui open runs/*.safetensors",
        "packnet-tui open model.safetensors --notify osc9",
    ),
)
def open_file(
    files: Files,
    readonly: ReadOnly = False,
    ascii: Ascii = False,
    notify: HowToNotify = None,
    on_done: o.OnDone = "",
    trust: o.Trust = None,
) -> int:
    """Open pack files in the workbench.

    A job continues when you leave; open the file again to see it. With several files, one is shown and [ and ] go to
    the others; a line for each says what it does. An engine starts only for a file that you go to. With --notify or
    --on-done, every job of the files that ends while they are open counts, whoever started it.
    """
    architectures, wrong = _architectures(files)
    if not architectures:  # no screen
        for error in wrong:
            complain(str(error))
        return max(error.status for error in wrong)
    if trust is not None:
        from packnet_core.packfile import trust as trusted

        named = [file for file, name in architectures.items() if name == trust]
        for file in named or list(architectures)[:1]:  # of which the error is, if none names it
            trusted.trust(file, trust)
    require_terminal(next(iter(architectures)))  # before Textual is imported
    from packnet_tui.workbench.in_terminal import open_workbench

    return open_workbench(*files, readonly=readonly, ascii=ascii, notify=notify, on_done=on_done)


def _architectures(files: list[Path]) -> tuple[dict[Path, str], list[PacknetError]]:
    """The architecture of each pack file, and an error for each file that is not one."""
    from packnet_core.packfile.header import read_header

    found: dict[Path, str] = {}
    wrong: dict[Path, PacknetError] = {}
    for file in files:
        try:
            found[file] = read_header(file).document.architecture.name
        except PacknetError as error:
            wrong[file] = error
    return found, list(wrong.values())


@app.command(epilog=examples("packnet-tui demo", "packnet-tui demo /tmp/digits.safetensors"))
def demo(
    file: o.DemoFile = o.DEMO,
    ascii: Ascii = False,
) -> int:
    """Watch three small real tasks being packed, offline.

    Handwritten digits: 0 to 3, 4 to 6, 7 to 9. Takes less than a minute.
    """
    from packnet_tui.cli import demo

    if not has_terminal():
        return demo.run_demo(file)
    demo.check_can_run(file)
    # making the file needs torch, which the screen's process never imports (law 8)
    made = subprocess.run([sys.executable, "-P", "-m", "packnet_tui.cli.demo", str(file)], check=False)
    if made.returncode:
        return made.returncode
    from packnet_tui.workbench.in_terminal import open_workbench

    return open_workbench(file, ascii=ascii, submit=demo.demo_commands())
