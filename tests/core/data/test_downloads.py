"""torchvision's data sets, with the layouts that they have in the cache."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from packnet_core.data.loading import load
from packnet_core.errors import RequestError
from packnet_core.schema.document import Input

RGB = Input(channels=3, size=28, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # no proxy listens there
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    return tmp_path / "packnet" / "data"


def test_mnist_is_read_from_its_plain_files(cache: Path) -> None:
    raw = cache / "MNIST" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 40), ("t10k", 20)):
        labels = np.arange(count, dtype=np.uint8) % 10
        images = np.repeat(labels, 28 * 28)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 2051, count, 28, 28) + images.tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 2049, count) + labels.tobytes())
    data = load("torchvision:MNIST", RGB)
    assert data.classes[3] == "3 - three"
    assert not data.record.flip
    images, labels = next(data.test.batches(20, "cpu"))
    assert ((images[:, 2, 5, 5] * 255).round() == labels).all()


@pytest.mark.parametrize(
    ("name", "folder", "train", "test", "names", "label_bytes"),
    [
        ("CIFAR10", "cifar-10-batches-bin", [f"data_batch_{n}" for n in range(1, 6)], "test_batch", "batches.meta", 1),
        ("CIFAR100", "cifar-100-binary", ["train"], "test", "fine_label_names", 2),
    ],
)
def test_cifar_is_read_from_binary_files_without_unpickling(
    cache: Path, name: str, folder: str, train: list[str], test: str, names: str, label_bytes: int
) -> None:
    place = cache / name / folder
    place.mkdir(parents=True)
    (place / f"{names}.txt").write_text("plane\ncar\n\n")
    for file in (*train, test):
        records = [
            [9] * (label_bytes - 1) + [label] + [10 + label] * 1024 + [20] * 1024 + [30] * 1024 for label in (0, 1, 1)
        ]
        (place / f"{file}.bin").write_bytes(bytes(value for record in records for value in record))
    data = load(f"torchvision:{name}", RGB)
    assert data.classes == ("plane", "car")
    images, labels = next(data.test.batches(3, "cpu"))
    assert labels.tolist() == [0, 1, 1]
    assert (images[:, :, 3, 4] * 255).round().tolist() == [[10, 20, 30], [11, 20, 30], [11, 20, 30]]
    (place / f"{test}.bin").write_bytes(b"12345")
    with pytest.raises(RequestError, match="is damaged"):
        load(f"torchvision:{name}", RGB)


def test_data_sets_of_files_are_read_as_files(cache: Path) -> None:
    for part in ("train", "test"):
        for name in ("AD", "AE"):
            folder = cache / "Country211" / "country211" / part / name
            folder.mkdir(parents=True)
            Image.new("RGB", (40, 30), (0, 0, 255)).save(folder / "1.jpg")
    data = load("torchvision:Country211", RGB)
    assert data.classes == ("AD", "AE")
    assert data.record.flip
    assert len(data.test) == 2


@pytest.mark.parametrize("name", ["FashionMNIST", "CIFAR10"])
def test_a_failed_download_is_one_line(cache: Path, name: str) -> None:
    with pytest.raises(RequestError, match=f"torchvision:{name} could not be downloaded") as refused:
        load(f"torchvision:{name}", RGB)
    assert "\n" not in str(refused.value)
