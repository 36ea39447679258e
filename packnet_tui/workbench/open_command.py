"""The commands of `packnet-tui`: open a file in the workbench, and the demo."""

import os
import subprocess
import sys
from typing import Annotated

import typer

from packnet_tui.cli import options as o
from packnet_tui.cli.program import make_program
from packnet_tui.cli.request import examples
from packnet_tui.cli.shell import has_terminal, require_terminal
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


@app.command(
    name="open",
    epilog=examples(
        "packnet-tui open model.safetensors",
        "packnet-tui open model.safetensors --readonly",
        "packnet-tui open model.safetensors --notify osc9",
    ),
)
def open_file(
    file: o.File,
    readonly: ReadOnly = False,
    ascii: Ascii = False,
    notify: HowToNotify = None,
    on_done: o.OnDone = "",
    trust: o.Trust = None,
) -> int:
    """Open a pack file in the workbench.

    A job continues when you leave; open the file again to see it. With --notify or --on-done, every job of the file
    that ends while it is open counts, whoever started it.
    """
    from packnet_core.packfile import header
    from packnet_core.packfile import trust as trusted

    header.read_header(file)  # a wrong file gives one line, and no screen
    if trust is not None:
        trusted.trust(file, trust)
    require_terminal(file)  # before Textual is imported
    from packnet_tui.workbench.app import open_workbench

    return open_workbench(file, readonly=readonly, ascii=ascii, notify=notify, on_done=on_done)


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
    from packnet_tui.workbench.app import open_workbench

    return open_workbench(file, ascii=ascii, submit=demo.demo_commands())
