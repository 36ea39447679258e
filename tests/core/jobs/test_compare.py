"""The command Compare: results of every baseline as events; the pack file is not changed."""

import pytest
from safetensors.torch import save_file

from packnet_core.baselines import filter_file
from packnet_core.jobs import run_job
from packnet_core.packfile import storage
from packnet_core.schema.commands import Compare
from packnet_core.schema.events import Compared, Epoch, Evaluated, PhaseStarted, Progress, TrainStep
from tests.worlds import add, images, pack_file, work


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparisons")
    found = pack_file(folder / "net.safetensors")
    for seed, name in enumerate(("first", "second", "third")):
        work(found, add(name, images(folder / f"{name}.npz", classes=3 + seed % 2, seed=seed)))
    return found


def compared(path, **settings) -> list[tuple[str, str | None, float]]:
    before = path.read_bytes()
    entries = work(path, Compare(**settings))
    assert path.read_bytes() == before
    assert not any(isinstance(entry.event, Epoch | Evaluated | TrainStep) for entry in entries)
    events = [entry.event for entry in entries if isinstance(entry.event, Compared)]
    assert {event.baseline for event in events} == {settings["baseline"]}
    return [(event.task, event.after, event.error.top1) for event in events]


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        ("classifier", [("second", None), ("third", None)]),
        ("individual", [("second", None), ("third", None)]),
        ("joint", [("first", None), ("second", None), ("third", None)]),
        ("lwf", [(n, "second") for n in ("first", "second")] + [(n, "third") for n in ("first", "second", "third")]),
        ("ewc", [(n, "second") for n in ("first", "second")] + [(n, "third") for n in ("first", "second", "third")]),
    ],
)
def test_each_baseline_reports_its_errors_and_leaves_the_file_unchanged(path, baseline, expected):
    assert [(task, after) for task, after, _ in compared(path, baseline=baseline)] == expected


def test_filter_pruning_adds_one_task_and_keeps_its_network_beside_the_file(path):
    found = compared(path, baseline="filters", tasks=("third",), recipe={"retrain_epochs": 1})
    assert [(task, after) for task, after, _ in found] == [("first", None), ("third", None)]
    kept = filter_file.load(path.with_name("net.packnet") / "filters-3.safetensors")
    assert [task.name for task in kept.tasks] == ["first", "third"]


def test_a_named_task_is_compared_alone_or_with_those_before_it(path):
    assert [task for task, _, _ in compared(path, baseline="individual", tasks=("third",))] == ["third"]
    assert [task for task, _, _ in compared(path, baseline="lwf", tasks=("second",))] == ["first", "second"]


def test_the_recipe_can_be_another(path):
    """With 0 epochs the new head has random weights, drawn by the task's own seed."""
    ((_, _, untrained),) = compared(path, baseline="individual", tasks=("second",), recipe={"epochs": 0})
    ((_, _, trained),) = compared(path, baseline="individual", tasks=("second",), recipe={"epochs": 4})
    assert trained < untrained


def test_a_comparison_starts_from_other_weights_if_given(path, tmp_path):
    """With all weights 0 every image has the same features, so a head on them answers the same class for all."""
    network, _ = storage.load(path)
    state = {name: tensor.detach().clone() for name, tensor in (*network.weights.items(), *network.rest.items())}
    state |= {f"{network.head}.{part}": tensor for part, tensor in network.heads[0].state_dict().items()}
    for name in network.weights:
        state[name].zero_()
    save_file(state, tmp_path / "zeros.safetensors")
    ((_, _, error),) = compared(
        path, baseline="classifier", tasks=("third",), weights=str(tmp_path / "zeros.safetensors")
    )
    assert error == pytest.approx(100 * 2 / 3, abs=0.1)


def test_progress_is_reported_as_a_comparison(path):
    events = [entry.event for entry in work(path, Compare(baseline="individual"))]
    started = [event for event in events if isinstance(event, PhaseStarted)]
    assert [(event.phase, event.task, event.images, event.epochs, event.part, event.parts) for event in started] == [
        *(("compare", "second", 8, 2, 1, 2), ("eval", "second", 30, 0, 1, 1)),
        *(("compare", "third", 8, 2, 2, 2), ("eval", "third", 30, 0, 1, 1)),
    ]
    steps = [event for event in events if isinstance(event, Progress) and event.epochs]
    assert [(event.done, event.images, event.epoch, event.epochs) for event in steps[:8]] == [
        (step, 8, 1 + (step > 4), 2) for step in range(1, 9)
    ]
    tested = [event for event in events if isinstance(event, Progress) and not event.epochs]
    assert [(event.task, event.done, event.images) for event in tested] == [("second", 30, 30), ("third", 30, 30)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tasks": ("first",)}, "name one that was added"),
        ({"tasks": ("fourth",)}, "no task 'fourth'"),
        ({"weights": "/nowhere.safetensors"}, "there is no file"),
        ({"recipe": {"lr": -1.0}}, "recipe:"),
        ({"baseline": "filters"}, "adds one task"),
    ],
)
def test_what_cannot_be_compared_is_one_clear_error(path, settings, message):
    *_, last = run_job.run(path, Compare(**{"baseline": "classifier", **settings}))
    assert last.event.outcome == "failed"
    assert last.event.status == 2
    assert message in last.event.message
