"""Loading data for training: splits, limits, pixels, batches."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from packnet_core.data import loading
from packnet_core.data.images import Images
from packnet_core.data.loading import load, load_test
from packnet_core.errors import RequestError
from packnet_core.schema.document import Input

RGB = Input(channels=3, size=8, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.2))
GREY = Input(channels=1, size=8, mean=(0.5,), std=(0.25,))


def write_npz(
    path: Path, counts: tuple[int, ...] = (40, 20), shape: tuple[int, ...] = (8, 8), names: str = "ab"
) -> str:
    """Each training image is filled with its own index."""
    labels = np.repeat(np.arange(len(counts)), counts)
    np.random.default_rng(0).shuffle(labels)
    images = np.broadcast_to(
        np.arange(len(labels), dtype=np.uint8).reshape(-1, *(1 for _ in shape)), (len(labels), *shape)
    )
    test = np.array([0, 0, 0, *range(1, len(counts))])
    np.savez(
        path,
        train_images=images,
        train_labels=labels,
        test_images=np.zeros((len(test), *shape), np.uint8),
        test_labels=test,
        classes=np.array([f"class {name}" for name in names[: len(counts)]]),
    )
    return str(path)


def indices(images: Images) -> list[int]:
    """The indices that `write_npz` filled the images with."""
    return [round(float(x)) for batch, _ in images.batches(7, "cpu") for x in (batch[:, 0, 0, 0] * 0.5 + 0.1) * 255]


def test_a_stratified_seeded_tenth_is_for_validation(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz")
    first, same, other = (load(path, RGB, seed=seed) for seed in (0, 0, 1))
    assert np.bincount(first.validation.labels).tolist() == [4, 2]
    assert sorted(indices(first.train) + indices(first.validation)) == list(range(60))
    assert indices(first.validation) == indices(same.validation) != indices(other.validation)
    assert (first.record.train, first.record.validation, first.record.test) == (54, 6, 4)
    assert first.chance == pytest.approx(25.0)


def test_a_limit_is_kept_and_leaves_every_class_an_image_to_train_on(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", (57, 2, 1), names="abc")
    data = load(path, RGB, limit=20)
    assert len(data.train) + len(data.validation) == 20
    assert np.bincount(data.train.labels, minlength=3).all()
    assert data.record.limit == 20
    with pytest.raises(RequestError, match="3 classes"):
        load(path, RGB, limit=2)


def test_pixels_are_scaled_then_normalised_and_grey_is_repeated(tmp_path: Path) -> None:
    data = load(write_npz(tmp_path / "a.npz"), RGB)
    images, labels = next(data.test.batches(3, "cpu"))
    assert images.shape == (3, 3, 8, 8)
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    for channel, (mean, std) in enumerate(zip(RGB.mean, RGB.std, strict=True)):
        assert torch.allclose(images[:, channel], torch.tensor(-mean / std))


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_channels_that_are_neither_one_nor_the_networks_are_refused(tmp_path: Path, channels: int) -> None:
    path = write_npz(tmp_path / "a.npz", shape=(6, 6, channels))
    with pytest.raises(RequestError, match=f"{channels} channels, and the network takes 1"):
        load(path, GREY)
    if channels == 3:
        assert len(load(path, RGB).train) == 54


def test_classes_other_than_the_tasks_are_refused_and_both_are_named(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz")
    assert load(path, RGB, classes=("class a", "class b")).classes == ("class a", "class b")
    with pytest.raises(RequestError, match="classes 'class a', 'class b', and the task has 'class b', 'class a'"):
        load(path, RGB, classes=("class b", "class a"))


@pytest.mark.parametrize(("classes", "flips"), [(["3", "14"], False), (["a", "b"], False), (["cat", "b"], True)])
def test_flips_are_off_by_default_for_digits_and_signs(tmp_path: Path, classes: list[str], flips: bool) -> None:
    path = write_npz(tmp_path / "a.npz")
    with np.load(path) as arrays:
        np.savez(path, **{**arrays, "classes": np.array(classes)})
    assert load(path, RGB).record.flip is flips
    assert load(path, RGB, flip=not flips).record.flip is not flips


def test_batches_can_be_resumed_in_a_shuffled_order(tmp_path: Path) -> None:
    train = load(write_npz(tmp_path / "a.npz"), RGB).train

    def batches(start: int) -> list[torch.Tensor]:
        order = torch.Generator().manual_seed(5)
        return [images for images, _ in train.batches(8, "cpu", generator=order, start=start)]

    assert len(batches(0)) == 7
    assert all(torch.equal(a, b) for a, b in zip(batches(0)[3:], batches(3), strict=True))
    in_order = [images for images, _ in train.batches(8, "cpu")]
    assert not torch.equal(in_order[0], batches(0)[0])


def write_folder(root: Path, mode: str = "RGB") -> Path:
    noise = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 3)):
        for name in ("cat", "dog"):
            (root / part / name).mkdir(parents=True)
            for index in range(count):
                pixels = noise.integers(0, 256, (20, 30, 3), np.uint8)
                Image.fromarray(pixels).convert(mode).save(root / part / name / f"{index:02}.png")
    return root


def test_data_too_large_for_memory_is_decoded_to_the_same_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(write_folder(tmp_path))
    kept = load(path, RGB).train
    monkeypatch.setattr(loading, "MEMORY", 1000)
    decoded = load(path, RGB).train
    assert kept.in_memory
    assert not decoded.in_memory
    for flip in (False, True):
        runs = []
        for images in (kept, decoded):
            torch.manual_seed(1)
            runs.append(
                list(images.batches(4, "cpu", generator=torch.Generator().manual_seed(2), augment=flip, start=1))
            )
        assert all(torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in zip(*runs, strict=True))
    assert torch.equal(kept.sample(5, 3).labels, decoded.sample(5, 3).labels)


def test_an_image_that_cannot_be_decoded_later_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MEMORY", 1000)
    bad = write_folder(tmp_path) / "test" / "dog" / "01.png"
    bad.write_bytes(bad.read_bytes()[:700])
    test = load(str(tmp_path), RGB).test
    with pytest.raises(RequestError, match=r"dog/01\.png can't be read"):
        list(test.batches(4, "cpu"))


def test_about_half_of_the_images_are_flipped_by_one_draw_each(tmp_path: Path) -> None:
    train = load(str(write_folder(tmp_path)), RGB).train
    plain = torch.cat([images for images, _ in train.batches(5, "cpu")])
    torch.manual_seed(0)
    flipped = torch.cat([images for images, _ in train.batches(5, "cpu", augment=True)])
    mirrored = [torch.equal(a.flip(2), b) for a, b in zip(plain, flipped, strict=True)]
    same = [torch.equal(a, b) for a, b in zip(plain, flipped, strict=True)]
    assert [not m for m in mirrored] == same
    torch.manual_seed(0)
    assert mirrored == [bool(torch.rand(1) < 0.5) for _ in mirrored]
    assert torch.equal(torch.cat([images for images, _ in train.batches(5, "cpu")]), plain)  # pixels stay


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("LA", 1), ("1", 1), ("P", 3), ("RGBA", 3)])
def test_every_kind_of_png_is_grey_or_colour(tmp_path: Path, mode: str, channels: int) -> None:
    path = str(write_folder(tmp_path, mode))
    assert next(load(path, RGB).test.batches(2, "cpu"))[0].shape == (2, 3, 8, 8)
    if channels == 1:
        assert next(load(path, GREY).test.batches(2, "cpu"))[0].shape == (2, 1, 8, 8)
    else:
        with pytest.raises(RequestError, match=r"\.png has 3 channels, and the network takes 1"):
            load(path, GREY)


def test_images_shrink_antialiased_to_squares(tmp_path: Path) -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (2, 5, 16, 32, 1)).reshape(-1, 16, 64)[:6]
    path = write_npz(tmp_path / "a.npz", (3, 3))
    with np.load(path) as arrays:
        np.savez(path, **{**arrays, "train_images": stripes})
    images, _ = next(load(path, GREY).train.batches(6, "cpu"))
    assert images.shape[1:] == (1, 8, 8)
    assert (images * 0.25 + 0.5 - 0.5).abs().max() < 0.1  # without antialiasing they would be black or white


def test_a_sample_keeps_the_classes_in_proportion(tmp_path: Path) -> None:
    train = load(write_npz(tmp_path / "a.npz"), RGB).train
    sample = train.sample(9, 0)
    assert np.bincount(sample.labels).tolist() == [6, 3]
    assert set(indices(sample)) <= set(indices(train))
    assert len(train.sample(1000, 0)) == len(train)


def test_an_evaluation_decodes_no_training_image(tmp_path):
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            for index in range(2):
                Image.fromarray(np.full((8, 8, 3), 9, np.uint8)).save(folder / f"{index}.png")
    (tmp_path / "train" / "cat" / "0.png").write_bytes(b"not an image")
    whole = load_test(str(tmp_path), RGB, ("cat", "dog"))
    assert (len(whole), whole.of) == (4, None)
    with pytest.raises(RequestError, match=r"0\.png"):
        load(str(tmp_path), RGB)


def test_an_evaluation_on_some_images_takes_the_same_ones_each_time_and_decodes_no_other(tmp_path):
    for part, count in (("train", 1), ("test", 12)):
        for name, share in (("cat", 1), ("dog", 2)):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            for index in range(count * share):
                Image.fromarray(np.full((8, 8, 3), index, np.uint8)).save(folder / f"{index}.png")

    def taken() -> list[tuple[int, int]]:
        some = load_test(str(tmp_path), RGB, ("cat", "dog"), limit=6)
        assert (len(some), some.of) == (6, 36)
        return list(zip(some.labels.tolist(), indices(some), strict=True))

    first = taken()
    assert [label for label, _ in first].count(0) == 2  # each class in proportion
    left = {(label, index) for label, count in ((0, 12), (1, 24)) for index in range(count)} - set(first)
    for label, index in left:
        (tmp_path / "test" / ("cat", "dog")[label] / f"{index}.png").write_bytes(b"not an image")
    assert taken() == first
    with pytest.raises(RequestError, match="png"):
        load_test(str(tmp_path), RGB, ("cat", "dog"), limit=36)
