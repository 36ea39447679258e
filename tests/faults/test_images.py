"""Damaged images and odd folders: found early, named, skipped where asked for, and never waited for."""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

import packnet_core
from packnet_core.data import loading
from packnet_core.data.open import summarise
from packnet_core.errors import RequestError
from packnet_core.jobs import run_job
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Add, Compare, Evaluate, Preview, Train
from packnet_core.schema.document import Input
from packnet_core.schema.events import Evaluated, Note, PhaseStarted, Previewed, TrainStep
from tests.worlds import QUICK, work

GREY = Input(channels=1, size=8, mean=(0.5,), std=(0.25,))


@pytest.fixture
def data(tmp_path):
    """A folder with two classes of 20 training and 6 test images."""
    noise = np.random.default_rng(0)
    for part, count in (("train", 20), ("test", 6)):
        for name in ("cat", "dog"):
            folder = tmp_path / "data" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                Image.fromarray(noise.integers(0, 256, (20, 30), np.uint8)).save(folder / f"{index:02}.png")
    return tmp_path / "data"


@pytest.fixture
def large(monkeypatch):
    """Data is decoded batch by batch, as if it were larger than the memory for it."""
    monkeypatch.setattr(loading, "MEMORY", 1000)


def add(data, **changes):
    return Add(task="one", data=str(data), recipe=QUICK, **changes)


def truncate(image):
    image.write_bytes(image.read_bytes()[:300])


def end(entries):
    entries = list(entries)
    return entries[-1].event, [type(entry.event) for entry in entries]


def skipped(entries):
    return [e.event.text for e in entries if isinstance(e.event, Note) and "left out so far" in e.event.text]


# -- damaged images -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [truncate, lambda image: image.write_bytes(b"")])
def test_a_damaged_test_image_is_found_before_training(path, data, large, damage):
    damage(data / "test" / "dog" / "03.png")
    failed, kinds = end(run_job.run(path, add(data)))
    assert (failed.outcome, failed.status) == ("failed", 2)
    assert "dog/03.png" in failed.message
    assert TrainStep not in kinds


def test_a_training_image_with_a_damaged_header_is_found_before_training(path, data, large):
    (data / "train" / "cat" / "07.png").write_bytes(b"no image")
    failed, kinds = end(run_job.run(path, add(data)))
    assert "cat/07.png can't be read" in failed.message
    assert TrainStep not in kinds


def test_an_image_damaged_in_the_middle_leaves_a_checkpoint_that_can_skip_it(path, data, large):
    entries = run_job.run(path, add(data))
    seen = []
    for entry in entries:
        seen.append(entry)
        if isinstance(entry.event, TrainStep) and entry.event.step == 1:
            for image in (data / "train").rglob("*.png"):
                if image.stem in ("01", "02"):
                    truncate(image)
    failed = seen[-1].event
    assert failed.outcome == "failed"
    assert "can't be read" in failed.message
    assert Paths(path).checkpoint.exists()
    assert "can't be read" in end(run_job.run(path, Train()))[0].message
    told = skipped(work(path, Train(on_bad_image="skip")))
    assert told
    assert all(checked.ok for checked in verify(path))


@pytest.mark.parametrize("in_memory", [True, False])
def test_damaged_images_are_skipped_and_counted_where_asked_for(path, data, in_memory, monkeypatch):
    if not in_memory:
        monkeypatch.setattr(loading, "MEMORY", 1000)
    for name in ("train/cat/01", "train/dog/02", "train/dog/03", "test/dog/04"):
        truncate(data / f"{name}.png")
    told = skipped(work(path, add(data, on_bad_image="skip")))
    assert told[-1].startswith("4 images left out so far: ")
    task = read_header(path).document.tasks[0]
    assert task.error.images == task.data.test == 11
    entries = work(path, Evaluate(on_bad_image="skip"))
    assert next(e.event.error.images for e in entries if isinstance(e.event, Evaluated)) == 11
    assert skipped(entries)
    assert end(run_job.run(path, Evaluate()))[0].outcome == "failed"


def test_a_batch_of_damaged_images_alone_is_passed_over(path, data, large):
    for image in (data / "train").rglob("*.png"):
        if image.stem != "00":
            truncate(image)
    work(path, add(data, on_bad_image="skip"))


def test_a_class_without_any_readable_image_is_named(path, data):
    for image in (data / "test" / "dog").iterdir():
        truncate(image)
    failed, _ = end(run_job.run(path, add(data, on_bad_image="skip")))
    assert "no test image of 'dog' that can be read" in failed.message


# -- folders ------------------------------------------------------------------------------------------------------


def counts(data):
    seen = summarise(str(data))
    assert seen.problem is None
    return seen.train, seen.test


def test_links_that_loop_or_leave_the_folder_are_not_followed_twice(data):
    (data / "train" / "cat" / "up").symlink_to("..")
    (data / "train" / "cat" / "all").symlink_to(data)
    (data / "train" / "cat" / "self").symlink_to(".")
    (data / "train" / "cat" / "dogs").symlink_to("../dog")
    elsewhere = data.parent / "elsewhere"
    elsewhere.mkdir()
    Image.new("L", (8, 8)).save(elsewhere / "more.png")
    (elsewhere / "back").symlink_to(elsewhere)
    (data / "train" / "dog" / "more").symlink_to(elsewhere)
    (data / "train" / "dog" / "again").symlink_to(elsewhere)
    assert counts(data) == ((20, 21), (6, 6))


def test_folders_of_classes_may_be_links(data):
    (data / "train" / "cat").rename(data.parent / "cats")
    (data / "train" / "cat").symlink_to(data.parent / "cats")
    assert counts(data) == ((20, 20), (6, 6))


@pytest.mark.timeout(60)
def test_what_is_no_image_is_left_out_and_counted_aloud(path, data):
    cat = data / "train" / "cat"
    os.mkfifo(cat / "pipe.png")
    (cat / "gone.png").symlink_to("nowhere")
    for name in ("a.txt", "b.txt", "c.gif", "README"):
        (cat / name).write_text("x")
    (data / "test" / "cat" / "Thumbs.db").write_text("x")
    assert counts(data) == ((20, 20), (6, 6))
    kinds = "2 .txt, 2 pipes, sockets or broken links, 1 .db, 1 .gif, 1 without extension"
    assert summarise(str(data)).left_out == f"left out, as they are no images: {kinds}"
    entries = work(path, add(data))
    assert any(isinstance(e.event, Note) and "2 .txt" in e.event.text for e in entries)


def test_a_folder_that_can_not_be_read_is_named(data, monkeypatch):
    scandir = os.scandir

    def refused(path):
        if Path(path).name == "dog":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(RequestError, match="dog can't be read: Permission denied"):
        loading.load(str(data), GREY)


# -- the same from every caller -----------------------------------------------------------------------------------


def test_the_python_api_takes_the_same_and_tells_its_listener(path, data):
    for name in ("train/cat/01", "test/dog/04"):
        truncate(data / f"{name}.png")
    heard = []
    file = packnet_core.open(path, listen=heard.append)
    with pytest.raises(RequestError, match="can't be read"):
        file.add("one", data, recipe=QUICK)
    file.add("one", data, recipe=QUICK, on_bad_image="skip", yes=True)
    for do in (file.evaluate, partial(file.prune, 0.5), partial(file.train, epochs=1)):
        heard.clear()
        with pytest.raises(RequestError, match="can't be read"):
            do()
        do(on_bad_image="skip", **{} if do == file.evaluate else {"yes": True})
        assert any("left out so far" in event.text for event in heard if isinstance(event, Note))
    for do in (file.evaluate, partial(file.prune, 0.5), partial(file.train, epochs=1)):
        with pytest.raises(RequestError, match=r"on_bad_image: .*ignore"):
            do(on_bad_image="ignore")


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_preview_leaves_damaged_images_out_and_counts_them(path, data, in_memory, monkeypatch):
    if not in_memory:
        monkeypatch.setattr(loading, "MEMORY", 1000)
    work(path, add(data))
    for image in (data / "train" / "cat").iterdir():
        if image.stem != "07":
            truncate(image)
    entries = work(path, Preview(ratios=(0.5,)))
    assert any(isinstance(entry.event, Previewed) for entry in entries)
    assert skipped(entries)


def test_a_comparison_takes_the_same(path, data):
    work(path, add(data, prune=0.5))
    work(path, replace(add(data, prune=0.5), task="two", yes=True))
    truncate(data / "train" / "cat" / "01.png")
    command = Compare(baseline="classifier", recipe={"epochs": 1})
    assert "can't be read" in end(run_job.run(path, command))[0].message
    assert skipped(work(path, replace(command, on_bad_image="skip")))


def test_an_evaluation_finds_an_image_that_is_none_before_it_measures(path, data, large):
    work(path, add(data))
    (data / "test" / "dog" / "05.png").write_bytes(b"no image")
    failed, kinds = end(run_job.run(path, Evaluate()))
    assert "can't be read" in failed.message
    assert PhaseStarted not in kinds
