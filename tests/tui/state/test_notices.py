"""What is sent to a terminal as a notification: one sequence, which no text can end or change."""

import pytest

from packnet_tui.state.notices import LONGEST, notice

TEXT = "net.safetensors: add cars is done, test error 18.36 %"


def test_a_bell_and_the_two_notifications():
    assert notice("bell", TEXT, {}) == "\a"
    assert notice("osc9", TEXT, {}) == f"\x1b]9;packnet: {TEXT}\a"
    assert notice("osc777", TEXT, {}) == f"\x1b]777;notify;packnet;{TEXT}\a"


@pytest.mark.parametrize("environ", [{"TMUX": "/tmp/tmux-0/default,1,0"}, {"TERM": "tmux-256color"}], ids=str)
def test_tmux_passes_a_notification_on_and_hears_a_bell_itself(environ):
    assert notice("osc9", "x", environ) == "\x1bPtmux;\x1b\x1b]9;packnet: x\a\x1b\\"
    assert notice("osc777", "x", environ) == "\x1bPtmux;\x1b\x1b]777;notify;packnet;x\a\x1b\\"
    assert notice("bell", "x", environ) == "\a"


@pytest.mark.parametrize("kind", ["osc9", "osc777"])
@pytest.mark.parametrize(
    "hostile", ["\x1b]0;title\a", "\a\x1b[2J", "\x9c\x9b2J", "a;b\nc\r", "\x1b\\", "\u202egnp", "\udc9d"]
)
def test_no_text_ends_the_sequence_or_begins_another(kind, hostile):
    sent = notice(kind, f"net: add {hostile} is done", {})
    inner = sent.removeprefix("\x1b").removesuffix("\a")
    assert len(inner) == len(sent) - 2
    assert inner.isprintable()
    if kind == "osc777":
        assert inner.count(";") == 3
    assert len(notice(kind, hostile * 1000, {})) < LONGEST + 30
