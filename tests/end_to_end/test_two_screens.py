"""Two screens on one file show the same, and a read-only one does no work."""

from packnet_core.schema.events import JobFinished
from tests.end_to_end.tmux import needs_tmux
from tests.waiting import until, until_event

pytestmark = needs_tmux


def test_two_screens_show_the_same_and_a_readonly_one_does_no_work(path, data, terminal, another):
    both = terminal, another
    terminal.type(f"packnet-tui open {path}; echo status $?")
    another.type(f"packnet-tui open {path} --readonly; echo status $?")
    terminal.wait_for("idle")
    another.wait_for("read only")
    another.press("a")
    another.wait_for("only watches")
    terminal.press(":")
    terminal.press("-l", f"add cars --data {data} --epochs 60 --lr 0.05 --retrain-epochs 1 --prune 0.5")
    terminal.press("Enter")
    for each in both:
        each.wait_for("TRAIN cars")
    assert until_event(path, JobFinished).event.outcome == "done"

    def same() -> bool:
        here, there = (each.screen().splitlines()[1:-1] for each in both)  # without the status line and the footer
        return here == there and any("add cars --prune 0.5: done" in line for line in here)

    until(same, "both screens to show the same")
    for each in both:
        each.press("q")
        each.wait_for("status 0")
