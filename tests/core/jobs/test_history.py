"""The journal folded into runs and results."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import packnet_core
from packnet_core.jobs.history import MOST_RUNS, History, Result, fold, of_task, read_history
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Compare, Discard, Drop, Evaluate, Order, Prune, Train, Undo
from packnet_core.schema.document import Error, Step
from packnet_core.schema.events import (
    Checked,
    Compared,
    EngineLeft,
    EngineStarted,
    Entry,
    GivenUp,
    Hardness,
    JobQueued,
    JobStarted,
    Note,
    PhaseStarted,
    Progress,
    Pruned,
    Resumed,
    Undone,
)
from packnet_core.schema.recipes import Recipe
from tests.tui.made_up import (
    ADD,
    NOON,
    SEALED,
    TINY,
    add,
    append,
    begun,
    document,
    ended,
    entries,
    evaluated,
    job,
    training,
    write,
)

CUT = Pruned(task="cars", ratio=0.6, freed=3, kept=1, before=17.5, after=61.0)
DROP = Drop(task="cars")


def compared(name, baseline, top1):
    return Compared(task=name, baseline=baseline, error=Error(top1=top1, top5=None, images=50))


def errors(history: History) -> dict[str, float]:
    return {name: result.error.top1 for name, result in history.evaluations.items()}


# -- runs -------------------------------------------------------------------------------------------------------------


def test_a_run_has_its_request_and_its_result():
    (run,) = fold(add(3)).runs
    assert (run.job, run.command, run.at, run.pid, run.device) == (3, ADD, NOON + 3000, 7, "cpu")
    assert (run.outcome, run.seconds, run.errors["cars"].top1, run.tasks) == ("done", 60.0, 17.5, ("cars",))
    assert (run.recipe, run.data, run.ratio) == (ADD.recipe, "/data/cars", 0.75)


@pytest.mark.parametrize(
    ("command", "changed"),
    [
        (Prune(ratio=0.6, recipe={"retrain_epochs": 9}), Recipe(epochs=10, lr=0.01, retrain_epochs=9)),
        (Train(recipe={"lr": 0.5}, data="/other"), Recipe(epochs=10, lr=0.5)),
        (Train(), ADD.recipe),
    ],
)
def test_a_later_job_has_the_tasks_recipe_with_its_own_changes(command, changed):
    run = fold([*add(1), *job(2, command)]).runs[-1]
    assert (run.tasks, run.recipe, run.data) == (("cars",), changed, getattr(command, "data", None) or "/data/cars")


def test_a_recipe_that_makes_no_sense_is_not_known():
    assert fold([*add(1), *job(2, Train(recipe={"lr": -1.0}), end=ended("failed"))]).runs[-1].recipe is None


def test_a_task_that_was_added_before_the_journal_begins_is_known_by_what_is_done_with_it():
    (run,) = fold(job(9, Prune(ratio=0.6), CUT)).runs
    assert (run.tasks, run.recipe, run.ratio, run.validation) == (("cars",), None, 0.6, 61.0)


def test_evaluating_all_concerns_every_task_that_was_measured():
    runs = fold(job(1, Evaluate(), evaluated("imagenet", 28.0), evaluated("cubs", 22.0))).runs
    assert [len(of_task(runs, name)) for name in ("imagenet", "cubs", "cars")] == [1, 1, 0]
    assert runs[0].errors["cubs"].top1 == 22.0


def test_comparing_concerns_the_tasks_that_were_measured_with_the_error_by_the_baseline():
    phase = PhaseStarted(phase="compare", task="all", epochs=0, images=9)
    runs = fold(job(1, Compare(baseline="joint"), phase, compared("cubs", "joint", 20.0))).runs
    assert [len(of_task(runs, name)) for name in ("all", "cubs", "cars")] == [0, 1, 0]
    assert runs[0].errors["cubs"].top1 == 20.0


def test_a_job_that_runs_is_there_and_grows():
    history = fold(add(1)[:30])
    run = history.running
    assert (run.outcome, run.seconds, run.validation, history.runs) == ("", None, pytest.approx(49 + 1 / 3), [])
    for entry in add(1)[30:]:
        history.read(entry)
    assert (history.running, [run.outcome for run in history.runs]) == (None, ["done"])


@pytest.mark.parametrize("sign", [EngineStarted(pid=8), EngineLeft(pid=7, reason="idle"), begun(Evaluate())])
def test_a_job_without_an_end_died(sign):
    history = fold([*add(1)[:30], *entries([sign], job=2)])
    assert (history.runs[0].outcome, history.runs[0].tasks) == ("died", ("cars",))


def test_runs_of_a_dropped_task_of_the_same_name_are_marked():
    story = [*add(1, best=30.0), *job(2, DROP), *add(3), *job(4, Evaluate(), evaluated("cars", 17.5))]
    found = of_task(fold(story).runs, "cars")
    assert [(run.job, former) for run, former in found] == [(4, False), (3, False), (2, True), (1, True)]


def test_a_failed_drop_leaves_the_task_unchanged():
    found = of_task(fold([*add(1), *job(2, DROP, end=ended("failed"))]).runs, "cars")
    assert [former for _, former in found] == [False, False]


def test_the_number_of_runs_is_bounded():
    many = [entry for i in range(MOST_RUNS + 7) for entry in job(i, Evaluate(), evaluated("cubs", 1.0))]
    runs = fold(many).runs
    assert (len(runs), runs[-1].job) == (MOST_RUNS, MOST_RUNS + 6)


JOBS = st.lists(
    st.tuples(st.sampled_from([ADD, DROP, Prune(ratio=0.6), Train(), Evaluate()]), st.integers(0, 30), st.booleans()),
    max_size=8,
)


def journal_of(jobs) -> list[Entry]:
    story = []
    for number, (command, steps, whole) in enumerate(jobs, 1):
        events = [begun(command), *list(training("cars", 2, 2, 96.0, 17.5))[:steps]]
        story += entries([*events, ended()] if whole else events, job=number)
    return story


@given(JOBS)
def test_any_journal_gives_a_run_for_each_job_in_order(jobs):
    history, again = fold(journal_of(jobs)), fold(journal_of(jobs))
    assert vars(again) == vars(history)
    runs = [*history.runs, history.running] if history.running else history.runs
    assert [(run.job, run.command) for run in runs] == [(i, command) for i, (command, *_) in enumerate(jobs, 1)]
    assert [run.outcome for run in runs[:-1]] == ["done" if whole else "died" for *_, whole in jobs[:-1]]


# -- the queue --------------------------------------------------------------------------------------------------------


def test_jobs_wait_until_they_start_and_the_one_that_runs_is_the_first():
    history = fold(entries([JobQueued(command=ADD)], job=1) + entries([JobQueued(command=Train())], job=2))
    assert (history.running, history.jobs) == (None, {1: ADD, 2: Train()})
    history.read(entries([begun(Train())], job=2)[0])
    assert (history.running.job, history.queue, list(history.jobs)) == (2, {1: ADD}, [2, 1])
    history.read(entries([ended("cancelled", "taken out")], job=1)[0])
    assert list(history.jobs) == [2]
    assert history.last_end == (NOON, "taken out")


@pytest.mark.parametrize("sign", [EngineStarted(pid=8), EngineLeft(pid=7, reason="idle"), begun(Evaluate())])
def test_the_waiting_jobs_of_a_dead_engine_are_lost(sign):
    waits = entries([EngineStarted(pid=7)], job=0) + entries([JobQueued(command=ADD)], job=1)
    history = fold([*waits, *entries([sign], job=2)])
    assert 1 not in history.jobs


# -- results ----------------------------------------------------------------------------------------------------------


def test_the_newest_evaluation_counts():
    history = fold(entries([evaluated("cubs", 40.0), evaluated("imagenet", 28.0), evaluated("cubs", 22.0)]))
    assert errors(history) == {"cubs": 22.0, "imagenet": 28.0}
    assert (history.evaluations["cubs"].at, history.evaluations["cubs"].loss) == (NOON + 2, 1.0)


def test_an_evaluation_on_some_images_is_kept_apart_until_the_next_on_all():
    some = replace(evaluated("cubs", 18.0), error=Error(top1=18.0, top5=None, images=500), of=5794)
    history = fold(entries([evaluated("cubs", 22.0), some]))
    assert errors(history) == {"cubs": 22.0}
    assert history.samples == {"cubs": Result(NOON + 1, some.error, 1.0, 5794)}
    assert fold(entries([some, evaluated("cubs", 22.0)])).samples == {}
    assert fold([*add(1), *entries([replace(some, task="cars")]), *job(2, DROP)]).samples == {}


@pytest.mark.parametrize("where", [{"data": "/other"}, {"sources": {"cubs": "/other"}}, {"mixed": "/mixed.npz"}])
def test_an_evaluation_on_other_data_does_not_count(where):
    story = [*job(1, Evaluate(), evaluated("cubs", 22.0)), *job(2, Evaluate(**where), evaluated("cubs", 60.0))]
    history = fold(story)
    assert errors(history) == {"cubs": 22.0}
    assert history.runs[-1].errors["cubs"].top1 == 60.0


def test_the_newest_comparison_by_each_baseline_counts():
    found = [compared("cubs", "lwf", 30.0), compared("cubs", "individual", 14.0), compared("cubs", "lwf", 40.0)]
    comparisons = fold(entries(found)).comparisons
    assert {name: result.error.top1 for name, result in comparisons["cubs"].items()} == {
        "lwf": 40.0,
        "individual": 14.0,
    }


def test_the_newest_digest_check_counts():
    found = [Checked(task="cubs", ok=False), Checked(task="imagenet", ok=True), Checked(task="cubs", ok=True)]
    assert fold(entries(found)).checked == {"cubs": True, "imagenet": True}


@pytest.mark.parametrize(
    "later",
    [job(2, DROP), job(2, ADD, PhaseStarted(phase="train", task="cars", epochs=9, images=54))],
    ids=["dropped", "added anew"],
)
def test_results_of_a_dropped_task_of_the_same_name_are_forgotten(later):
    first = [*add(1), *entries([compared("cars", "lwf", 20.0), Checked(task="cars", ok=True)])]
    history = fold([*first, *later])
    assert (history.evaluations, history.comparisons, history.checked) == ({}, {}, {})


def test_the_files_history_shows_which_results_are_of_a_dropped_task():
    found = [evaluated("cars", 1.0), evaluated("cubs", 2.0), compared("cars", "lwf", 3.0)]
    dropped = Step(at=NOON + 100, task="cars", what="drop cars")
    file = document(SEALED, TINY)
    history = fold(entries([*found, Checked(task="cars", ok=True)]), replace(file, history=(*file.history, dropped)))
    assert (errors(history), history.comparisons, history.checked) == ({"cubs": 2.0}, {}, {})
    history.read(Entry(at=NOON + 101, job=2, event=evaluated("cars", 4.0)))
    assert errors(history) == {"cubs": 2.0, "cars": 4.0}


def test_entries_older_than_the_file_are_of_a_former_file():
    made = replace(document(SEALED, TINY), history=(Step(at=NOON + 10_000, task=None, what="new vgg16"),))
    history = fold([*add(1), *entries([JobQueued(command=ADD)], job=2)], made)
    assert (history.runs, history.evaluations, history.jobs) == ([], {}, {})


# -- the file ---------------------------------------------------------------------------------------------------------


def test_no_journal_is_an_empty_history(tmp_path):
    history = read_history(tmp_path / "journal.jsonl")
    assert (history.runs, history.running, history.last_end) == ([], None, None)


def test_a_pack_file_has_its_history(tmp_path):
    path = write(tmp_path / "model.safetensors", document(SEALED, TINY))
    file = packnet_core.open(path)
    assert file.history.runs == []
    append(path, job(1, Evaluate(), evaluated("cubs", 22.0)))
    append(path, entries([evaluated("cubs", 99.0)], at=document(SEALED).history[0].at - 1))  # of a former file
    assert (errors(file.history), [run.outcome for run in file.history.runs]) == ({"cubs": 22.0}, ["done"])


def test_a_journal_read_without_its_steps_gives_the_same_runs(tmp_path):
    path = tmp_path / "model.safetensors"
    hostile = Note(text='{"type":"step"')
    story = [
        *add(1),
        *job(2, Prune(ratio=0.6), CUT, *training("cars", 2, 2, 61.0, 18.0, retrain=True, before=17.5)),
        *job(3, Evaluate(), Progress(task="cars", done=1, images=2), hostile, evaluated("cars", 18.0)),
        *add(4)[:40],
    ]
    append(path, story)
    with open(Paths(path).journal, "ab") as journal:
        journal.write(b'{"event":{"type":"evaluated","task":"cars", torn')
    assert vars(read_history(Paths(path).journal)) == vars(fold(story))


def test_a_run_that_was_resumed_says_by_which_job_until_one_gives_it_up():
    stopped, resumed = ended("stopped", "stopped; packnet train resumes it"), Resumed(task="cars", command=ADD)
    phase = PhaseStarted(phase="train", task="cars", epochs=4, images=9, epoch=2)
    given_up = GivenUp(task="cars", command=ADD)
    story = [
        *job(1, ADD, phase, end=stopped),
        *job(2, ADD, end=ended("failed", "no such data")),  # refused: it left nothing
        *job(3, Train(), resumed, phase, end=stopped),
        *job(4, Train(), resumed, phase, end=ended("failed", "the disk is full")),
        *job(5, Discard(task="cars"), given_up),
    ]
    runs = fold(story).runs
    assert [run.then for run in runs] == ["resumed by job 3", "", "resumed by job 4", "given up by job 5", ""]
    assert [run.resumes for run in runs] == [None, None, ADD, ADD, None]
    assert [len(of_task(runs, "cars"))] == [5]


def test_a_died_job_that_was_resumed_says_so():
    story = [*entries([begun(ADD)], job=1), *entries([EngineLeft(pid=7, reason="killed")], job=0)]
    history = fold([*story, *job(2, Train(), Resumed(task="cars", command=ADD))])
    assert [(run.outcome, run.then) for run in history.runs] == [("died", "resumed by job 2"), ("done", "")]


def test_undo_brings_back_what_was_known_of_the_dropped_task():
    known = [*add(1), *job(2, Evaluate(), evaluated("cars", 17.5), evaluated("cubs", 22.0)), *job(3, DROP)]
    assert "cars" not in fold(known).evaluations
    later = [*known, *job(4, Evaluate(), evaluated("cubs", 22.5)), *job(5, Undo(), Undone(task="cars", bytes=9))]
    history = fold(later)
    assert {name: result.error.top1 for name, result in history.evaluations.items()} == {"cars": 17.5, "cubs": 22.5}
    history.read(begun_at := entries([begun(Prune(ratio=0.5))], job=6, at=NOON + 9000)[0])
    assert (begun_at.job, history.running.recipe) == (6, ADD.recipe)
    found = of_task(history.runs, "cars")
    assert [(run.job, former) for run, former in found] == [(5, False), (3, False), (2, False), (1, False)]
    again = [*later, *job(6, DROP), *add(7)]
    assert [former for _, former in of_task(fold(again).runs, "cars")] == [False, True, True, True, True, True]


def test_undo_brings_back_an_estimate_too_and_leaves_other_tasks_alone():
    some = [replace(evaluated(name, 20.0), of=5794) for name in ("cars", "cubs")]
    known = [*add(1), *job(2, Evaluate(limit=500), *some), *job(3, DROP), *job(4, Evaluate(), evaluated("cubs", 22.0))]
    history = fold([*known, *job(5, Undo(), Undone(task="cars", bytes=9))])
    assert (set(history.samples), set(history.evaluations)) == ({"cars"}, {"cars", "cubs"})


def hardness(name, error):
    measured = Error(top1=error, top5=None, images=10)
    return Hardness(name=name, data="/d", classes=9, validation_error=None, error=measured, chance=90.0)


def test_of_an_order_the_newest_measurement_counts_as_a_whole():
    old = job(1, Order(data={"a": "/a", "b": "/b"}), hardness("a", 1.0), hardness("b", 2.0))
    new = job(2, Order(data={"b": "/b", "c": "/c"}), hardness("c", 3.0))
    history = fold(old)
    assert list(history.hardness) == ["a", "b"]
    assert (history.evaluations, history.runs[0].tasks) == ({}, ())  # they are no tasks of the file
    assert list(fold([*old, *new]).hardness) == ["c"]
    begun = entries([JobStarted(command=Order(data={"d": "/d"}), pid=1, device="cpu")], job=3)
    assert list(fold([*old, *begun]).hardness) == ["a", "b"]  # until there is something newer
