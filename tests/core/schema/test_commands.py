"""Commands as values: made valid whoever makes them, and put back into words that the command line understands."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from packnet_core.errors import RequestError
from packnet_core.schema.commands import Add, Drop, Evaluate, Prune, Train, as_typed, validated
from packnet_core.schema.recipes import Recipe
from packnet_tui.cli.program import app
from packnet_tui.cli.request import call

ADD = Add(task="b", data="/x")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (Add(task="b", data="/x", own="norms"), Add(task="b", data="/x", own=("norms",))),
        (Add(task="b", data=Path("/x"), layers=["conv"]), Add(task="b", data="/x", layers=("conv",))),
        (
            Add(task="b", data="/x", limit=np.int64(6), prune=np.float32(0.5)),
            Add(task="b", data="/x", limit=6, prune=0.5),
        ),
        (Prune(ratio=1, layers={"a": np.float64(0.25)}), Prune(ratio=1.0, layers={"a": 0.25})),
        (Train(recipe={"lr": np.float64(0.5), "epochs": np.int32(3)}), Train(recipe={"lr": 0.5, "epochs": 3})),
    ],
)
def test_numpy_paths_and_single_names_are_taken_for_what_they_mean(given, meant):
    assert validated(given) == meant


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("own", ["foo"]), ("own", [1]), ("own", "norm"), ("flip", 1), ("flip", "yes"), ("prune", True), ("prune", 1.5),
        ("limit", 60.5), ("limit", "60"), ("steps", 0), ("steps", None), ("task", 3), ("data", None), ("data", b"/x"),
        ("recipe", "paper"), ("recipe", {"lr": -1}), ("layers", 5), ("device", 0), ("yes", "no"), ("task", object()),
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused_by_name(field, value):
    with pytest.raises(RequestError, match=rf"{field}|object"):
        validated(Add(**{"task": "b", "data": "/x", field: value}))


@pytest.mark.parametrize("value", [0, -1, 1.5, "5", True, [5], 2**50])
def test_a_number_of_images_to_evaluate_is_a_whole_one_from_1(value):
    assert validated(Evaluate(limit=np.int64(5))) == Evaluate(limit=5)
    with pytest.raises(RequestError, match="limit"):
        validated(Evaluate(limit=value))


@pytest.mark.parametrize(
    "command",
    [
        Add(task="my birds", data="/data/b c.npz", prune=0.75, steps=2, limit=60, own=("norms",), layers=("conv",),
            recipe=Recipe(lr=0.02, epochs=8, retrain_lr=1e-3, schedule="cosine", channels_last=True, seed=7)),
        Add(task="b", data="/x", flip=False, crop=True, on_bad_image="skip", device="cpu"),
        Prune(ratio=0.9, max_drop=0.5, trials=3, data="/x", on_bad_image="skip", device="cuda:1"),
        Train(recipe={"epochs": 3}, data="/x", on_bad_image="skip", device="cpu"),
        Prune(ratio=0.5, layers={"features.0": 0.25}, recipe={"retrain_epochs": 0, "channels_last": False}),
        Train(recipe={"epochs": 3, "lr": 0.5, "precision": "bf16"}, named="paper", limit=9),
    ],
)  # fmt: skip
def test_a_command_printed_as_typed_is_parsed_to_itself(command):
    _, *words = shlex.split(as_typed(command, "/tmp/net.safetensors"))
    assert call(app, "packnet", words).command == command


def test_other_commands_are_typed_too():
    assert as_typed(Drop(task="cubs")) == "packnet drop FILE cubs"
    assert as_typed(Evaluate(tasks=("cubs", "cars"), limit=500)) == "packnet eval FILE cubs cars --limit 500"
    assert as_typed(Prune(ratio=0.95, max_drop=1.0)) == "packnet prune FILE --max-drop 1"
