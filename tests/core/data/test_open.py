"""Summaries of what `--data` takes: counts, or one line that names the problem."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from packnet_core.data.kinds import resolve
from packnet_core.data.loading import load
from packnet_core.data.open import summarise
from packnet_core.errors import RequestError
from packnet_core.schema.document import Input

INPUT = Input(channels=3, size=8, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


def write_npz(path: Path, **changes: Any) -> str:
    arrays: dict[str, Any] = {
        "train_images": np.zeros((6, 5, 7), np.uint8),
        "train_labels": np.array([0, 1, 0, 1, 0, 0]),
        "test_images": np.zeros((3, 5, 7), np.uint8),
        "test_labels": np.array([0, 1, 1]),
        "classes": np.array(["cat", "dog"]),
    } | changes
    np.savez(path, **{key: array for key, array in arrays.items() if array is not None})
    return str(path)


def write_folder(root: Path, test: str = "test") -> Path:
    for part, count in (("train", 3), (test, 2)):
        for name in ("dog", "cat"):
            for index in range(count):
                path = root / part / name / ("deep" if index else "") / f"{index}.PNG"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (9, 6), (index * 40, 0, 0)).save(path)
    return root


def test_an_npz_file_is_counted(tmp_path: Path) -> None:
    seen = summarise(write_npz(tmp_path / "a.npz"))
    assert seen.problem is None
    assert (seen.classes, seen.train, seen.test, seen.images) == (("cat", "dog"), (4, 2), (1, 2), "7×5 grey")


def test_a_folder_is_counted_without_hidden_and_other_files(tmp_path: Path) -> None:
    write_folder(tmp_path)
    (tmp_path / "train" / ".cache").mkdir()
    (tmp_path / "train" / "cat" / "._0.png").write_bytes(b"")
    (tmp_path / "train" / "cat" / "notes.txt").write_text("x")
    seen = summarise(str(tmp_path))
    assert seen.problem is None
    assert (seen.classes, seen.train, seen.test, seen.images) == (("cat", "dog"), (3, 3), (2, 2), "9×6 colour")


def test_test_is_preferred_to_val(tmp_path: Path) -> None:
    write_folder(tmp_path, "val")
    assert summarise(str(tmp_path)).test == (2, 2)
    write_folder(tmp_path, "test")
    (tmp_path / "test" / "cat" / "more.png").write_bytes((tmp_path / "test" / "cat" / "0.PNG").read_bytes())
    assert summarise(str(tmp_path)).test == (3, 2)


def test_a_range_of_digits_is_a_source() -> None:
    seen = summarise("sklearn:digits:3-5")
    assert seen.classes == ("3", "4", "5")
    assert not seen.flip
    assert sum(seen.train) == pytest.approx(4 * sum(seen.test), rel=0.02)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"classes": None}, "has no classes"),
        ({"train_images": np.zeros((6, 5, 7), np.float32)}, "train_images .* is float32 of shape 6×5×7"),
        ({"test_images": np.zeros((3, 5), np.uint8)}, "test_images .* of shape 3×5"),
        ({"train_labels": np.array([0, 1, 0, 2, 0, 0])}, "train label 2 at index 3"),
        ({"train_labels": np.array([0, 1, 0, -1, 0, 0])}, "train label -1 at index 3"),
        ({"train_labels": np.array([0.0] * 6)}, "train_labels .* is float64"),
        ({"test_labels": np.array([0, 1])}, "3 test images and 2 labels"),
        ({"test_labels": np.array([0, 0, 0])}, "no test images of 'dog'"),
        ({"classes": np.array(["cat", "cat"])}, "two classes called 'cat'"),
        ({"classes": np.array(["cat"])}, "has 1 class"),
        ({"classes": np.array(["cat", "d\x1bg"])}, "x1bg"),
        ({"train_images": np.array([{}] * 6, object)}, "never done"),
        ({"train_labels": np.array([{}] * 6, object)}, "never done"),
    ],
)
def test_a_bad_npz_file_is_refused_and_the_problem_is_named(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    path = write_npz(tmp_path / "a.npz", **changes)
    with pytest.raises(RequestError, match=says) as refused:
        load(path, INPUT)
    assert "\n" not in str(refused.value)
    assert summarise(path).problem is not None


def test_files_that_are_truncated_or_not_npz_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(RequestError, match=r"is not an \.npz file"):
        load(str(tmp_path / "text.npz"), INPUT)
    whole = Path(write_npz(tmp_path / "a.npz")).read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[:300] + b"\xff" * 40 + whole[340:])
    locked = whole.replace(b"PK\x03\x04\x2d\x00\x00", b"PK\x03\x04\x2d\x00\x01")  # says it is encrypted
    (tmp_path / "locked.npz").write_bytes(locked.replace(b"\x2d\x03\x2d\x00\x00", b"\x2d\x03\x2d\x00\x01"))
    for name in ("cut.npz", "locked.npz"):
        with pytest.raises(RequestError, match=rf"{name} can't be read"):
            load(str(tmp_path / name), INPUT)


def break_folder(root: Path, how: str) -> None:
    cat = root / "train" / "cat"
    match how:
        case "no train":
            (root / "train").rename(root / "training")
        case "no test":
            (root / "test").rename(root / "tests")
        case "only in train":
            (root / "train" / "emu").mkdir()
        case "only in test":
            (root / "test" / "emu").mkdir()
        case "no images":
            (root / "train" / "emu").mkdir()
            (root / "test" / "emu").mkdir()
        case "empty":
            (cat / "0.PNG").write_bytes(b"")
        case "text":
            (cat / "0.PNG").write_text("not an image")
        case "cut":
            noise = np.random.default_rng(0).integers(0, 255, (60, 60, 3), np.uint8)
            Image.fromarray(noise).save(cat / "0.PNG")
            (cat / "0.PNG").write_bytes((cat / "0.PNG").read_bytes()[:4000])


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("no train", "no folder train"),
        ("no test", "no folder test or val"),
        ("only in train", "'emu' in .*train but not in .*test"),
        ("only in test", "'emu' in .*test but not in .*train"),
        ("no images", "emu has no images"),
        ("empty", "0.PNG is empty"),
        ("text", "0.PNG can't be read as an image"),
        ("cut", "0.PNG can't be read as an image"),
    ],
)
def test_a_bad_folder_is_refused_and_the_problem_is_named(tmp_path: Path, how: str, says: str) -> None:
    break_folder(write_folder(tmp_path), how)
    with pytest.raises(RequestError, match=says):
        load(str(tmp_path), INPUT)
    if how != "cut":  # this is only found when pixels are decoded
        assert summarise(str(tmp_path)).problem is not None


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("/no/such/place", "there is no /no/such/place"),
        ("images:all", "not a kind of data"),
        ("torchvision:mnist", "did you mean torchvision:MNIST"),
        ("sklearn:iris", "sklearn:digits"),
        ("sklearn:digits:7-3", "sklearn:digits:0-3"),
    ],
)
def test_unknown_sources_are_refused(source: str, says: str) -> None:
    assert says in (summarise(source).problem or "")
    with pytest.raises(RequestError, match=says):
        load(source, INPUT)


def test_only_paths_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve("pictures") == str(tmp_path / "pictures")
    assert resolve("torchvision:MNIST") == "torchvision:MNIST"


def test_summaries_need_no_torch(tmp_path: Path) -> None:
    sources = [write_npz(tmp_path / "a.npz"), str(write_folder(tmp_path / "b")), "sklearn:digits", "torchvision:MNIST"]
    code = (
        f"import sys; from packnet_core.data.open import summarise; [summarise(s) for s in {sources}]; "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
