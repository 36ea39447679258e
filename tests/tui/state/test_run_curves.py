"""One curve per job."""

from packnet_core.jobs.history import MOST_RUNS
from packnet_core.schema.commands import Add, Evaluate, Prune
from packnet_core.schema.events import Entry, Pruned
from packnet_tui.state.run_curves import KEPT, RunCurves
from packnet_tui.state.series import Curve
from packnet_tui.state.story import Story
from tests.tui.made_up import SEALED, add, document, evaluated, job, training

CUT = Pruned(task="cars", ratio=0.6, freed=3, kept=1, before=17.5, after=61.0)


def curves(entries: list[Entry]) -> dict[int, Curve]:
    story = Story()
    story.read(entries)
    return dict(story.picture(document(SEALED)).run_curves)


def test_each_job_has_its_own_curve():
    found = curves([
        *add(1),
        *job(2, Prune(ratio=0.6), CUT, *training("cars", 2, 2, 61.0, 18.0, retrain=True, before=17.5)),
        *job(3, Evaluate(), evaluated("cars", 18.0)),
    ])  # fmt: skip
    assert list(found) == [1, 2]
    assert (found[1].end, found[1].pruned) == (4, ())
    assert (found[2].end, found[2].pruned, found[2].before) == (2, ((0, 0.6),), (0, 17.5))


def test_the_curve_of_a_job_that_runs_is_there_and_one_that_died_keeps_its_own():
    found = curves(add(1)[:30])
    assert (found[1].task, len(found[1].loss)) == ("cars", 27)
    assert curves([*add(1)[:30], *add(2)])[1] == found[1]


def test_the_curves_kept_are_bounded():
    (curve,) = curves(add(1, epochs=3 * KEPT)).values()
    assert max(len(curve.loss), len(curve.validation_error), len(curve.validation_loss)) <= KEPT
    many = RunCurves()
    for i in range(MOST_RUNS + 7):
        for entry in job(i, Prune(ratio=0.6), CUT):
            many.read(entry)
    assert len(many.all()) == MOST_RUNS + 1  # with the newest, which has not ended for it
    assert min(many.all()) == 6


def test_a_name_out_of_a_journal_never_steers_the_terminal():
    hostile = Add(task="a\x1b[2J", data="/data")
    assert curves(job(1, hostile, *training("a\x1b[2J", 1, 1, 96.0, 17.5)))[1].task == r"a\x1b[2J"
