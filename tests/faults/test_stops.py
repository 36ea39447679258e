"""A stop while data is read, validated, pruned, evaluated or saved: the work ends soon, and nothing is lost."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from packnet_core.data import loading
from packnet_core.data.pixels import FilePixels
from packnet_core.engine import client
from packnet_core.jobs import journal, run_job
from packnet_core.packfile import storage
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Add, Evaluate, Preview, Prune, Train
from packnet_core.schema.events import Checked, EngineLeft, Epoch, JobFinished, JobStarted, TrainStep
from packnet_core.training import evaluate
from tests.waiting import until_event
from tests.worlds import QUICK, add, pack_file, work


def stopped(path, command, monkeypatch, where, name, call):
    """Do a command, and stop it within the call of that number (from 1) of a function. Returns its entries."""
    stop, calls, before = threading.Event(), [], getattr(where, name)

    def counted(*args, **kwargs):
        calls.append(name)
        if len(calls) == call:
            stop.set()
        return before(*args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(where, name, counted)
        entries = list(run_job.run(path, command, stop))
    assert stop.is_set()
    assert entries[-1].event.outcome == "stopped"
    return entries


@pytest.mark.parametrize("memory", [loading.MEMORY, 1000])  # decoded at once; looked at before training
def test_while_images_are_decoded(path, tmp_path, monkeypatch, memory):
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / "data" / part / name
            folder.mkdir(parents=True)
            for index in range(300):
                Image.fromarray(np.full((8, 8), index % 256, np.uint8)).save(folder / f"{index}.png")
    monkeypatch.setattr(loading, "MEMORY", memory)
    decoded, decode = [], FilePixels.decode

    def counted(*args):
        decoded.append(args)
        return decode(*args)

    monkeypatch.setattr(FilePixels, "decode", counted)
    command = Add(task="one", data=str(tmp_path / "data"), recipe=QUICK)
    entries = stopped(path, command, monkeypatch, FilePixels, "decode", 10)
    assert [type(entry.event) for entry in entries[:-1]] == [JobStarted]
    assert len(decoded) < 300
    assert not Paths(path).checkpoint.exists()


@pytest.mark.parametrize("call", range(1, 9))
def test_while_it_validates_or_prunes_at_any_time_ends_with_the_same_bits(tmp_path, data, monkeypatch, call):
    """The 3 epochs of training, before pruning, twice right after pruning and at each epoch of retraining."""
    whole, path = (pack_file(tmp_path / f"{name}.safetensors") for name in ("whole", "stopped"))
    recipe = replace(QUICK, epochs=3, retrain_epochs=1)
    command = add("one", data, recipe=recipe, steps=2)
    work(whole, command)
    entries = stopped(path, command, monkeypatch, evaluate, "_running_sums", call)
    finish(path, recipe)
    digests = [read_header(each).document.tasks[0].digest for each in (whole, path)]
    assert digests[0] == digests[1], [type(entry.event).__name__ for entry in entries]
    assert all(checked.ok for checked in verify(path))


def finish(path, recipe):
    """Do what is left of an add with --prune 0.5 in two steps."""
    if Paths(path).checkpoint.exists():
        work(path, Train())
    else:  # it stopped after the trained task was saved, before anything was pruned
        work(path, Prune(ratio=0.5, steps=2))


def test_while_a_later_batch_is_validated(path, data, monkeypatch):
    monkeypatch.setattr(evaluate, "BATCH", 2)
    entries = stopped(path, add("one", data), monkeypatch, evaluate, "_logits_and_loss", 1)
    assert not any(isinstance(entry.event, Epoch) for entry in entries)


@pytest.mark.parametrize("command", [Evaluate(), Preview()])
def test_while_it_only_looks(path, data, monkeypatch, command):
    work(path, add("one", data))
    before = path.read_bytes()
    stopped(path, command, monkeypatch, evaluate, "_logits_and_loss", 1)
    assert path.read_bytes() == before


def test_while_digests_are_checked(path, data, monkeypatch):
    for name in ("one", "two"):
        work(path, add(name, data))
    from packnet_core.jobs.session import Session

    entries = stopped(path, add("three", data), monkeypatch, Session, "digests", 1)
    assert sum(isinstance(entry.event, Checked) for entry in entries) == 1


def test_while_it_saves_the_save_comes_to_its_end(path, data, monkeypatch):
    stop, save = threading.Event(), storage.save

    def slow(*args, **kwargs):
        stop.set()
        return save(*args, **kwargs)

    monkeypatch.setattr(storage, "save", slow)
    entries = list(run_job.run(path, add("one", data, prune=None), stop))
    assert stop.is_set()
    assert entries[-1].event.outcome == "done"
    assert read_header(path).document.tasks[0].phase == "trained"


def test_sigterm_ends_an_engine_within_ten_seconds_while_it_reads_data(path, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (800, 800), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "one.png")
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / "data" / part / name
            folder.mkdir(parents=True)
            for index in range(5000):  # minutes of decoding
                os.link(tmp_path / "one.png", folder / f"{index}.png")
    with client.start(path) as engine:
        job = engine.submit(Add(task="one", data=str(tmp_path / "data"), recipe=QUICK))
        until_event(path, JobStarted, job)
        time.sleep(1)
        os.kill(engine.status().pid, signal.SIGTERM)
        begun = time.monotonic()
        end = until_event(path, JobFinished, job).event
        until_event(path, EngineLeft)
    assert time.monotonic() - begun < 10
    assert end.outcome == "stopped"
    assert not any(isinstance(entry.event, TrainStep) for entry in journal.read(Paths(path).journal))
