"""The data field of the add form: completions, the preview while the user types, the command after Enter."""

import os
import threading

import numpy as np
import pytest
from PIL import Image
from textual import events

from packnet_core.schema.commands import Add
from packnet_tui.workbench.screens.add_form import AddForm
from packnet_tui.workbench.screens.data_preview import preview_data, preview_in_words
from packnet_tui.workbench.screens.debounce import Debounced
from packnet_tui.workbench.screens.dialog_help import DialogHelp
from packnet_tui.workbench.screens.main_screen import MainScreen
from tests.tui.still import Desk, opened, sealed
from tests.worlds import images


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return sealed(tmp_path / "model.safetensors")


def folder(root, grey=False):
    for part, count in (("train", 3), ("test", 1)):
        for name in ("finch", "wren"):
            (root / part / name).mkdir(parents=True)
            for index in range(count):
                Image.new("L" if grey else "RGB", (9, 6)).save(root / part / name / f"{index}.png")
    return root


def below(desk: Desk) -> str:
    """The text below the data, in one line."""
    return " ".join(desk.text(desk.app.screen.query_one("#data-below")).split())


async def at_data(desk: Desk) -> AddForm:
    """The form, named, the cursor in its data field."""
    await desk.press("a")
    form = await desk.sees(AddForm)
    await desk.fill(task="birds")
    await desk.press("tab")
    return form


@pytest.mark.parametrize("key", ["right", "end", "ctrl+e"])
async def test_a_key_takes_the_proposed_completion(path, tmp_path, key):
    folder(tmp_path / "birds")
    async with opened(path) as desk:
        form = await at_data(desk)
        await desk.write("bi")
        await desk.until(lambda: "birds/" in desk.text(form.focused), "the proposal")
        await desk.press(key)
        assert form.values()["data"] == "birds/"
        await desk.press("tab")
        await desk.until(lambda: form.table.here == "epochs")
        assert form.values()["data"] == "birds/"


async def test_tab_completes_as_far_as_it_is_clear_then_goes_on(path, tmp_path):
    folder(tmp_path / "red" / "birds")
    for name in ("red-a", "red-b"):
        (tmp_path / name).mkdir()
    async with opened(path) as desk:
        form = await at_data(desk)
        await desk.write("r")
        await desk.press("tab")
        assert (form.values()["data"], form.table.here) == ("red", "data")
        await desk.press("tab")  # three folders begin so
        assert form.table.here == "data"
        await desk.write("/")
        await desk.press("tab")
        assert form.values()["data"] == "red/birds/"
        await desk.press("tab")  # a whole data set
        assert (form.values()["data"], form.table.here) == ("red/birds/", "epochs")


@pytest.mark.parametrize(
    ("typed", "completed", "then"),
    [
        ("torchvision:MN", "torchvision:MNIST", "epochs"),
        ("sk", "sklearn:digits", "epochs"),
        ("torchvision:CIFAR10", "torchvision:CIFAR10", "lr"),  # CIFAR100 begins so too
        ("red-", "red-", "epochs"),  # a second tab never stays
        ("", "", "lr"),
    ],
)
async def test_tab_never_holds_the_user_in_the_data_field(path, tmp_path, typed, completed, then):
    for name in ("red-a", "red-b"):
        (tmp_path / name).mkdir()
    async with opened(path) as desk:
        form = await at_data(desk)
        await desk.write(typed)
        await desk.press("tab", "tab")
        assert form.values()["data"] == completed
        assert form.table.here == then


async def test_data_is_seen_as_it_is_typed(path, tmp_path):
    images(tmp_path / "birds.npz", classes=12, train=100, test=24, size=8, channels=3)
    async with opened(path) as desk:
        form = await at_data(desk)
        assert "a folder with train/CLASS/" in below(desk)
        await desk.write("bir")
        await desk.until(lambda: "no such file yet; there is birds.npz" in below(desk))
        await desk.write("ds.npz")
        await desk.until(lambda: "12 classes: class 0, class 1, class 2 and 9 more" in below(desk))
        assert "train 8 to 9 per class, 100 images; test 2, 24 images 8×8 colour, flips on" in below(desk)
        assert form.table.hint_of("flip") == "by the data: on"


async def test_named_data_is_seen_without_being_downloaded(path):
    async with opened(path) as desk:
        form = await at_data(desk)
        await desk.write("torchvision:MN")
        await desk.until(lambda: "no such data yet; there is MNIST" in below(desk))
        await desk.write("IST")
        await desk.until(lambda: "28×28 grey, flips off its classes are known once it is downloaded" in below(desk))
        await desk.fill(data="torchvision:mnist")
        await desk.until(lambda: "did you mean torchvision:MNIST?" in below(desk))
        assert form.table.hint_of("flip") == "by the data"


async def test_enter_reports_missing_data_as_an_error(path):
    async with opened(path) as desk:
        form = await at_data(desk)
        await desk.write("nowhere.npz")
        await desk.press("shift+tab", "enter")
        await desk.until(desk.error)
        assert desk.error().startswith("data: there is no ")
        await desk.until(lambda: form.table.here == "data")
        assert (form.values()["task"], form.values()["data"], desk.asked) == ("birds", "nowhere.npz", [])


async def test_channels_that_do_not_fit_are_reported_and_refused(path, tmp_path):
    images(tmp_path / "four.npz", channels=4)
    async with opened(path) as desk:
        await at_data(desk)
        await desk.write("four.npz")
        await desk.until(lambda: "its images have 4 channels; the network takes 3, or grey ones" in below(desk))
        await desk.press("enter")
        assert desk.error() == "data: its images have 4 channels; the network takes 3, or grey ones"
        assert desk.asked == []


async def test_a_limit_below_one_image_a_class_is_refused(path, tmp_path):
    images(tmp_path / "birds.npz", classes=3)
    async with opened(path) as desk:
        form = await at_data(desk)
        await desk.fill(data="birds.npz", limit="2")
        await desk.press("enter")
        await desk.until(desk.error)
        assert desk.error() == "images at most: 2 is less than one training image for each of 3 classes"
        await desk.until(lambda: form.table.here == "limit")


@pytest.mark.parametrize("pasted", ["'{}'\n", '"{}"', "\n {}\r\n"])
async def test_a_pasted_path_is_cleaned(path, tmp_path, pasted):
    data = images(tmp_path / "red birds.npz")
    async with opened(path) as desk:
        form = await at_data(desk)
        form.focused.post_message(events.Paste(pasted.format(data)))
        await desk.until(lambda: "3 classes" in below(desk))
        assert form.values()["data"] == str(data)
        await desk.press("enter")
        await desk.sees(MainScreen)
        assert desk.asked == [Add(task="birds", data=str(data), prune=0.75)]


async def test_a_form_that_waits_for_its_data_does_not_close_the_help_above_it(path, tmp_path):
    data, go = folder(tmp_path / "birds"), threading.Event()

    def look(text):
        go.wait()
        return preview_data(text)

    async with opened(path) as desk:
        form = await at_data(desk)
        form._looks = Debounced(look, 0)
        await desk.fill(data=str(data))
        await desk.press("enter", "f1")
        await desk.sees(DialogHelp)
        go.set()
        await desk.until(lambda: form._preview.text == str(data))
        await desk.sees(DialogHelp)
        await desk.press("escape", "enter")
        await desk.sees(MainScreen)
        assert desk.asked == [Add(task="birds", data=str(data), prune=0.75)]


async def test_a_disk_that_hangs_holds_nothing_up(path, tmp_path):
    os.mkfifo(tmp_path / "pipe")  # reading it waits until some process writes
    hung = threading.Event()

    def look(text):
        if text.startswith("pipe"):
            hung.set()
            open(tmp_path / "pipe", "rb").close()
        return preview_data(text)

    async with opened(path) as desk:
        form = await at_data(desk)
        form._looks = Debounced(look, 0)
        await desk.write("pipe")
        await desk.until(hung.is_set)
        await desk.press("enter")
        assert "reading the data" in below(desk)
        await desk.fill(data="torchvision:MNIST")
        await desk.until(lambda: "28×28 grey" in below(desk))
        await desk.fill(data="pipe")
        await desk.press("enter")
        await desk.press("enter")
        await desk.sees(MainScreen)
        assert desk.asked == [Add(task="birds", data=str(tmp_path / "pipe"), prune=0.75)]
    with open(tmp_path / "pipe", "wb"):  # let those that wait go
        pass


@pytest.mark.parametrize(
    ("grey", "channels", "problem"),
    [
        (True, 1, ""),
        (True, 3, ""),
        (False, 3, ""),
        (False, 1, "its images have 3 channels; the network takes only grey ones"),
    ],
)
def test_grey_images_fit_every_network(tmp_path, grey, channels, problem):
    said, words = preview_in_words(preview_data(str(folder(tmp_path / "birds", grey))), channels)
    assert said == problem
    assert words.startswith("2 classes: finch, wren\ntrain 3 per class, 6 images; test 1, 2 images\n9×6 ")


def test_folders_on_the_way_to_data_are_no_alarm(tmp_path):
    folder(tmp_path / "data" / "birds")
    assert preview_in_words(preview_data(f"{tmp_path}/data"), 3)[0] == ""
    assert (
        preview_in_words(preview_data(f"{tmp_path}/data/"), 3)[1]
        == "a folder that has no folder train; there is birds/"
    )
    (tmp_path / "data" / "train").mkdir()
    assert preview_in_words(preview_data(f"{tmp_path}/data"), 3)[0].endswith(
        "put the images to measure errors with in test/CLASS/"
    )


@pytest.mark.parametrize("strange", ["~nobody/x", "a" * 5000, "a\0b", "\ud800", "/root/../dev/null", "sklearn:x"])
def test_nothing_that_is_typed_takes_the_screen_down(strange):
    problem, words = preview_in_words(preview_data(strange), 3)
    assert problem or words


def test_a_strange_file_is_a_problem_and_no_exception(tmp_path):
    np.savez(tmp_path / "a.npz", train_images=np.array([object()], dtype=object))
    assert "has no train_labels" in preview_in_words(preview_data(f"{tmp_path}/a.npz"), 3)[0]


def test_a_file_name_in_a_folder_never_steers_the_terminal(tmp_path):
    (folder(tmp_path / "birds") / "train" / "wren" / "a.\x1b[2Jx").touch()
    problem, below = preview_in_words(preview_data(str(tmp_path / "birds")), 3)
    assert problem == ""
    assert below.endswith(r"left out, as they are no images: 1 .\x1b[2jx")
