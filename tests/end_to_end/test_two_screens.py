"""Two screens on one file: both show what happens, and in the end the same; one that is read only does nothing."""

from packnet_core.schema.events import JobFinished
from tests.end_to_end.tmux import another, needs_tmux, terminal  # noqa: F401
from tests.waiting import until, until_event

pytestmark = needs_tmux


def test_two_screens_show_the_same_and_one_that_is_readonly_does_not_work(path, data, terminal, another):  # noqa: F811
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
        here, there = (each.screen().splitlines()[1:-1] for each in both)  # all but the lines of state and keys
        return here == there and any("add cars --prune 0.5: done" in line for line in here)

    until(same, "both screens to show the same")
    for each in both:
        each.press("q")
        each.wait_for("status 0")
