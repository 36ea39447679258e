"""Desktop notifications as escape sequences, which a terminal shows also when the program runs behind SSH."""

from collections.abc import Mapping
from typing import Literal

from packnet_core.schema.text import printable

Notify = Literal["bell", "osc9", "osc777"]
BELL = "\a"
LONGEST = 200  # characters of a notification's text


def notice(kind: Notify, text: str, environ: Mapping[str, str]) -> str:
    """What to send to the terminal: a bell, or a notification by OSC 9 or OSC 777.

    Within tmux (3.3 or newer) a notification is wrapped, so that tmux passes it on; its option `allow-passthrough` must
    be on. The text can't end the sequence or begin another one.
    """
    if kind == "bell":
        return BELL
    shown = printable(" ".join(text.split()))[:LONGEST]
    if kind == "osc9":
        sequence = f"\x1b]9;packnet: {shown}{BELL}"
    else:
        sequence = f"\x1b]777;notify;packnet;{shown.replace(';', ',')}{BELL}"
    if environ.get("TMUX") or environ.get("TERM", "").startswith("tmux"):
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return sequence
