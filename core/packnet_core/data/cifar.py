"""Reads CIFAR-10 and CIFAR-100 from their authors' binary files; torchvision's reader would unpickle. Needs no torch.

Each image is one or two label bytes, then 3 × 32 × 32 bytes of pixels, red before green before blue.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from packnet_core.data.pixels import Bytes
from packnet_core.data.split import Ints
from packnet_core.errors import RequestError

PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class Archive:
    """An archive of the authors: its address and MD5 sum, the folder that it unpacks to, and the files in that folder.

    Each image begins with `label_bytes` bytes; the last of them is its class.
    """

    url: str
    md5: str
    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    names: str
    label_bytes: int


SITE = "https://www.cs.toronto.edu/~kriz/"
ARCHIVES = {
    "CIFAR10": Archive(
        SITE + "cifar-10-binary.tar.gz",
        "c32a1d4ab5d03f1284b67883e8d87530",
        "cifar-10-batches-bin",
        tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        ("test_batch.bin",),
        "batches.meta.txt",
        1,
    ),
    "CIFAR100": Archive(
        SITE + "cifar-100-binary.tar.gz",
        "03b5dce01913d631647c71ecec9e9cb8",
        "cifar-100-binary",
        ("train.bin",),
        ("test.bin",),
        "fine_label_names.txt",
        2,
    ),
}


def read(folder: Path, files: tuple[str, ...], label_bytes: int) -> tuple[Bytes, Ints]:
    """Read images, uint8 N×32×32×3, and labels, int64 N. Raises RequestError, naming the file, if one is damaged."""
    parts = []
    for file in files:
        content = np.fromfile(folder / file, np.uint8)
        if len(content) == 0 or len(content) % (label_bytes + PIXELS):
            raise RequestError(f"{folder / file} is damaged; remove {folder} so that it is downloaded again")
        parts.append(content.reshape(-1, label_bytes + PIXELS))
    rows = np.concatenate(parts)
    images = rows[:, label_bytes:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return images, rows[:, label_bytes - 1].astype(np.int64)


def class_names(folder: Path, archive: Archive) -> tuple[str, ...]:
    """The names of the classes, in the order of their labels."""
    return tuple((folder / archive.names).read_text(errors="replace").split())
