"""Header and journal folded into the picture that the screen shows."""

import pytest
from msgspec import structs

from packnet_core.packfile.header import encode_document
from packnet_core.schema.commands import Add, Command, Discard, Drop, Evaluate, Prune, Train
from packnet_core.schema.document import Document, Error
from packnet_core.schema.events import (
    EngineLeft,
    EngineStarted,
    Entry,
    Event,
    GivenUp,
    JobFinished,
    JobQueued,
    JobStarted,
    Note,
    Occupancy,
    PhaseStarted,
    Progress,
    Pruned,
    Saved,
)
from packnet_core.schema.text import from_json
from packnet_tui.state.picture import Picture
from packnet_tui.state.story import LOG_LINES, Story
from tests.tui.made_up import (
    NOON,
    SEALED,
    TINY,
    cars,
    checkpoint,
    document,
    entries,
    evaluated,
    finished_cars,
    task,
    training,
)

CARS = task("cars", 0.75, 18.36, "retrained")
BEFORE, AFTER = document(SEALED, TINY), document((*SEALED, CARS), TINY)
ADD = Add(task="cars", data="/data/cars", prune=0.75)


def folded(*events: Event, shown: Document = BEFORE, more: list[Entry] | None = None) -> Picture:
    story = Story(shown)
    story.read([*entries(events), *(more or [])])
    return story.picture(shown)


def started(command: Command, pid: int = 7) -> JobStarted:
    return JobStarted(command=command, pid=pid, device="cpu")


def finished(outcome: str = "done", message: str = "done") -> JobFinished:
    return JobFinished(outcome=outcome, message=message, seconds=1, status=0 if outcome == "done" else 1)


def test_the_header_alone_is_a_picture():
    picture = folded()
    assert (picture.layers, picture.job, picture.curve, picture.busy) == (BEFORE.layers, None, None, False)
    assert [(row.name, row.added, row.now, row.drift) for row in picture.tasks] == [
        ("imagenet", 28.42, None, None),
        ("cubs", 22.1, None, None),
    ]


def test_the_counts_of_a_running_job_replace_those_of_the_header():
    picture = folded(*cars(AFTER))
    assert picture.layers == AFTER.layers
    assert picture.free == AFTER.free < BEFORE.free
    newest = picture.tasks[-1]
    assert (newest.name, newest.phase, newest.prune_ratio, newest.owned) == ("cars", "pruned", 0.75, AFTER.owned[2])
    assert [row.phase for row in picture.tasks] == ["sealed", "sealed", "pruned"]
    assert [row.working for row in picture.tasks] == ["", "", "retrain"]
    assert newest.validation == picture.curve.validation_error[-1][1]


def test_once_saved_the_counts_are_those_of_the_file():
    picture = folded(*cars(AFTER), *finished_cars(), shown=AFTER)
    assert (picture.layers, picture.job) == (AFTER.layers, None)
    newest = picture.tasks[-1]
    assert (newest.phase, newest.added, newest.validation, newest.working) == ("retrained", 18.36, None, "")
    assert newest.drift == 0


@pytest.mark.parametrize("outcome", ["failed", "stopped", "cancelled"])
def test_after_a_failed_job_the_picture_is_that_of_the_file(outcome):
    events = cars(AFTER)
    story = Story()
    story.read([*entries(events), *entries([finished(outcome)])])
    picture = story.picture(BEFORE)
    assert (picture.layers, len(picture.tasks), picture.busy) == (BEFORE.layers, 2, False)


@pytest.mark.parametrize(
    "layers",
    [
        {"other.weight": [1, 1, 1]},
        {name: [1] for name in TINY} | {"more": [1]},
        {name: [0, 0, 0, 0] for name in TINY},
        {name: [0, 0, 10**9] for name in TINY},
    ],
    ids=["other layers", "more layers", "too many tasks", "more than there is"],
)
def test_counts_that_are_not_of_this_file_are_not_shown(layers):
    assert folded(started(ADD), Occupancy(task="cars", phase="trained", layers=layers)).layers == BEFORE.layers


def test_jobs_wait_in_a_queue_until_they_start():
    evaluate = Evaluate()
    story = Story()
    story.read([*entries([JobQueued(command=ADD)], job=1), *entries([JobQueued(command=evaluate)], job=2)])
    assert story.picture(BEFORE).queue == ((1, ADD), (2, evaluate))
    assert story.picture(BEFORE).busy
    story.read(entries([started(ADD)], job=1))
    assert (story.picture(BEFORE).job.number, story.picture(BEFORE).queue) == (1, ((2, evaluate),))
    story.read(entries([finished("cancelled")], job=2))
    assert (story.picture(BEFORE).job.number, story.picture(BEFORE).queue) == (1, ())
    story.read(entries([finished()], job=1))
    assert not story.picture(BEFORE).busy


def test_the_job_has_its_progress():
    picture = folded(started(ADD), *training("cars", 10, 3, 96.0, 17.5))
    job = picture.job
    assert (job.phase, job.task, job.epoch, job.epochs, job.images) == ("train", "cars", 3, 10, 5400)
    assert (job.images_per_second, job.seconds_left) == (1234.0, 26.0 * 7)
    progress = Progress(task="cubs", done=640, images=5794)
    job = folded(started(Evaluate()), PhaseStarted(phase="eval", task="cubs", epochs=0, images=5794), progress).job
    assert (job.phase, job.task, job.done, job.images, job.validation) == ("eval", "cubs", 640, 5794, None)


def test_an_error_that_moved_is_drift():
    picture = folded(started(Evaluate()), evaluated("imagenet", 28.42), evaluated("cubs", 22.35))
    assert picture.tasks[0].drift == 0
    assert picture.tasks[1].drift == pytest.approx(0.25)


def test_an_evaluation_on_some_images_proves_no_drift():
    some = structs.replace(evaluated("cubs", 40.0), error=Error(top1=40.0, top5=None, images=500), of=5794)
    row = folded(started(Evaluate()), evaluated("cubs", 22.1), finished(), started(Evaluate(limit=500)), some).tasks[1]
    assert (row.now, row.drift, row.sample.error.top1) == (22.1, 0, 40.0)
    row = folded(started(Evaluate(limit=500)), some).tasks[1]
    assert (row.now, row.drift) == (None, None)
    log = folded(started(Evaluate(limit=500)), some).log
    assert [line.text for line in log] == [
        "job 1 starts on cpu: eval --limit 500",
        "cubs: test error ≈ 40.00 % on 500 of 5,794 images",
    ]


def test_errors_of_different_numbers_of_images_are_no_drift():
    other = structs.replace(evaluated("cubs", 22.35), error=Error(top1=22.35, top5=None, images=5790))
    row = folded(started(Evaluate(on_bad_image="skip")), other).tasks[1]
    assert (row.now, row.drift) == (22.35, None)


def test_an_evaluation_on_other_data_proves_no_drift():
    other = started(Evaluate(tasks=("cubs",), data="/data/birds"))
    assert folded(other, evaluated("cubs", 40.0)).tasks[1].now is None
    assert (
        folded(started(Evaluate()), evaluated("cubs", 22.1), finished(), other, evaluated("cubs", 40.0)).tasks[1].now
        == 22.1
    )


def test_error_and_curve_of_a_dropped_task_of_the_same_name_are_forgotten():
    first = [started(ADD), *training("cars", 2, 2, 96.0, 17.5), evaluated("cars", 18.36), finished()]
    picture = folded(*first, started(Drop(task="cars")), finished(), shown=AFTER)
    assert (picture.tasks[-1].now, picture.curve) == (None, None)
    kept = folded(*first, started(Drop(task="cars")), finished("failed"), shown=AFTER)
    assert (kept.tasks[-1].now, kept.curve.task) == (18.36, "cars")


def test_until_a_resumed_job_counts_the_weights_the_panes_show_its_checkpoint():
    held = checkpoint(BEFORE, ADD, epoch=3, epochs=8)

    def shown(*events: Event) -> Picture:
        story = Story(BEFORE)
        story.read(entries(events))
        return story.picture(BEFORE, held)

    stopped = shown()
    assert (stopped.unfinished, stopped.interrupted, stopped.layers) == ("cars", ADD, held.document.layers)
    assert [(row.name, row.phase, row.stopped) for row in stopped.tasks[1:]] == [
        ("cubs", "sealed", ""), ("cars", "trained", "stopped 3/8"),
    ]  # fmt: skip
    assert stopped.as_saved.layers == BEFORE.layers
    assert [row.name for row in stopped.as_saved.tasks] == ["imagenet", "cubs"]
    resumes = shown(started(Train()))
    assert (resumes.unfinished, resumes.interrupted, resumes.layers) == ("", None, held.document.layers)
    assert resumes.tasks[-1].stopped == ""
    assert shown(started(Train()), *cars(AFTER)[3:]).layers == AFTER.layers
    assert shown(started(ADD)).layers == BEFORE.layers  # another job: the checkpoint is given up


def test_a_job_resumed_after_its_last_epoch_is_in_that_epoch():
    phase = PhaseStarted(phase="train", task="cars", epochs=3, images=54, epoch=4)
    assert folded(started(Train()), phase).job.epoch == 3


def test_a_new_task_with_an_old_name_starts_without_results():
    first = [started(ADD), *training("cars", 2, 2, 96.0, 17.5), evaluated("cars", 90.0), finished()]
    picture = folded(*first, started(ADD), PhaseStarted(phase="train", task="cars", epochs=9, images=54), shown=AFTER)
    assert (picture.tasks[-1].now, picture.curve.loss, picture.curve.end) == (None, (), 9)


def test_further_training_extends_the_curve():
    first = [started(ADD), *training("cars", 2, 2, 96.0, 17.5), finished()]
    picture = folded(*first, started(Train()), *training("cars", 3, 1, 18.0, 17.0))
    assert (len(picture.curve.loss), picture.curve.end) == (60, 5)


def test_the_ratio_of_a_pruning_is_shown_before_it_is_saved():
    dense = document((*SEALED, task("cars", None, 17.1, "trained")), TINY)
    cut = Pruned(task="cars", ratio=0.6, freed=1, kept=1, before=None, after=None)
    now = Occupancy(task="cars", phase="pruned", layers={layer.name: list(layer.owned) for layer in AFTER.layers})
    assert folded(started(Prune(ratio=0.6)), cut, now, shown=dense).tasks[-1].prune_ratio == 0.6
    assert folded(started(Prune(ratio=0.6)), cut, now, finished("failed"), shown=dense).tasks[-1].prune_ratio is None


def test_a_dead_engine_is_reported_with_the_end_of_its_log():
    story = Story()
    story.read(entries([EngineStarted(pid=7), JobQueued(command=ADD), started(ADD), *cars(AFTER)[3:5]]))
    story.abandoned(NOON, "CUDA error: out of memory")
    picture = story.picture(BEFORE)
    assert picture.died == "engine died; end of its log: CUDA error: out of memory"
    assert (picture.busy, picture.layers) == (False, BEFORE.layers)
    assert picture.log[-1].level == "error"
    assert "add cars" in picture.log[-1].text
    story.read(entries([EngineStarted(pid=8)]))
    assert story.picture(BEFORE).died == ""


def test_the_log_says_which_waiting_jobs_were_lost_with_an_engine():
    story = Story()
    story.read(entries([EngineStarted(pid=7), started(ADD)]))
    story.read(entries([JobQueued(command=Evaluate(tasks=("cubs",)))], job=2))
    story.abandoned(NOON)
    assert story.picture(BEFORE).log[-1].text == "waiting jobs are lost: eval cubs"
    assert not story.picture(BEFORE).busy


def test_a_command_that_died_is_not_called_an_engine():
    story = Story()
    story.read(entries([started(ADD, pid=99)]))
    story.abandoned(NOON)
    assert story.picture(BEFORE).died == "process 99 died"


@pytest.mark.parametrize("next_", [EngineStarted(pid=8), EngineLeft(pid=7, reason="idle"), started(Evaluate(), pid=8)])
def test_a_job_without_an_end_is_over_when_the_next_thing_happens(next_):
    story = Story()
    story.read(entries([EngineStarted(pid=7), started(ADD), next_]))
    assert story.job is None or story.job.command == Evaluate()
    assert any("died (during add cars --prune 0.75)" in line.text for line in story.log)


def test_without_a_job_no_process_dies():
    story = Story()
    story.read(entries([EngineStarted(pid=7), started(ADD), finished(), EngineLeft(pid=7, reason="idle")]))
    story.abandoned(NOON)
    assert story.died == ""
    assert not any("died" in line.text for line in story.log)


def test_entries_older_than_the_file_are_of_a_former_file():
    made = BEFORE.history[0].at
    old = entries([started(ADD), *training("cars", 2, 2, 96.0, 17.5), evaluated("cubs", 99.0)], at=made - 1000)
    picture = folded(more=old)
    assert (picture.busy, picture.curve, picture.log, picture.tasks[1].now) == (False, None, (), None)


def test_the_curve_of_a_job_that_was_given_up_goes():
    added = [started(ADD), *training("cars", 2, 2, 96.0, 17.5), evaluated("cars", 18.36), Saved(bytes=9), finished()]
    cut = [started(Train(recipe={"epochs": 9})), *training("cars", 9, 3, 20.0, 17.5), finished("stopped")]
    given_up = [started(Discard()), GivenUp(task="cars", command=Train()), finished()]
    assert folded(*added, *cut, *given_up, shown=AFTER).curve == folded(*added, shown=AFTER).curve
    assert folded(*cut, *given_up, shown=AFTER).curve is None


def test_the_log_has_readable_lines_and_a_limit():
    warning = Note(text="two\x1b[2J lines", level="warning")
    log = folded(started(ADD), warning, evaluated("cubs", 22.1), finished("failed", "no such data")).log
    assert [(line.level, line.text) for line in log[1:]] == [
        ("warning", r"warning: two\x1b[2J lines"),
        ("info", "cubs: test error 22.10 %, top-5 5.53 %"),
        ("error", "no such data"),
    ]
    assert len(folded(*[Note(text=str(i)) for i in range(LOG_LINES + 5)]).log) == LOG_LINES
    assert folded(Saved(bytes=1), Note(text="last")).log[-1].text == "last"


def test_a_name_out_of_a_file_never_steers_the_terminal():
    hostile = document([task("a\x1b[2J", 0.5, 1.0)], TINY)
    picture = folded(shown=from_json(encode_document(hostile), Document))
    assert picture.tasks[0].name == r"a\x1b[2J"


def test_curves_of_tasks_that_never_came_into_the_file_are_not_kept():
    events = [e for n in range(50) for e in (started(Add(task=f"t{n}", data="/d")), *training(f"t{n}", 1, 1, 9.0, 9.0),
                                             finished("failed"))]  # fmt: skip
    story = Story(BEFORE)
    story.read(entries(events))
    assert story.picture(BEFORE).curve.task == "t49"
    assert list(story.builders) == ["t49"]
