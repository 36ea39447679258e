"""How fast images are read, and how long the device waits: `python -m tests.benchmarks --input [--device cuda]`.

Two data sets, each read by this product and by a plain loop over torch's DataLoader with torchvision's transforms v2:

- 2,048 images of 32 px in memory, random flips, batches of 32, for the CIFAR ResNet-20;
- 256 JPEG files of 500 × 375 px in class folders, resized to 256 and cropped to 224, random flips, batches of 32, for
  ResNet-50 on a GPU and ResNet-18 on a CPU.

Images per second are those of reading alone. The share of time that the device waits is measured in training: the time
until the next batch is there, divided by all; each step ends before the next begins, as in the product. Medians of
three rounds in turn.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from packnet_core.data import loading
from packnet_core.data.images import Images
from packnet_core.network import architectures
from packnet_core.schema.document import Input
from tests.benchmarks.measure import seconds

BATCH, ROUNDS, STEPS = 32, 3, 6
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TITLES = ("images", "ours, images per second", "DataLoader", "ratio", "device waits: ours", "DataLoader")
Batches = Callable[[], Iterable[tuple[Tensor, Tensor]]]


class InMemory(Dataset[tuple[Tensor, int]]):
    """Arrays and a transform per image, as most data sets for torch are written."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform: Callable[[Any], Tensor]):
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), int(self.labels[index])


def transforms(*more: v2.Transform) -> v2.Compose:
    scaled = (v2.RandomHorizontalFlip(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD))
    return v2.Compose([v2.ToImage(), *more, *scaled])


def small(device: torch.device) -> tuple[Batches, Batches]:
    """Images in memory: our batches, and the DataLoader's."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (2048, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, 2048)
    pixels = torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, 3, 1)))
    given = Input(channels=3, size=32, mean=MEAN, std=STD)
    ours = Images(pixels, torch.arange(2048), torch.from_numpy(labels), given, flip=True)
    return ours_of(ours, device), plain_of(InMemory(images, labels, transforms()), device)


def folders(path: Path, device: torch.device) -> tuple[Batches, Batches]:
    """JPEG files in class folders: our batches, and the DataLoader's."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 288), ("test", 2)):
        for index in range(count):
            folder = path / part / f"class {index % 2}"
            folder.mkdir(parents=True, exist_ok=True)
            # enlarged noise, about as smooth as photographs
            coarse = Image.fromarray(rng.integers(0, 256, (25, 33, 3), dtype=np.uint8))
            coarse.resize((500, 375), Image.Resampling.BICUBIC).save(folder / f"{index:03}.jpg", quality=90)
    given = Input(channels=3, size=224, mean=MEAN, std=STD)
    kept, loading.MEMORY = loading.MEMORY, 0  # like a set too large for memory
    try:
        ours = loading.load(str(path), given, flip=True, crop=True).train
    finally:
        loading.MEMORY = kept
    transform = transforms(v2.Resize((256, 256)), v2.RandomCrop(224))
    return ours_of(ours, device), plain_of(ImageFolder(str(path / "train"), transform), device)


def ours_of(images: Images, device: torch.device) -> Batches:
    return lambda: images.batches(BATCH, device, generator=torch.Generator().manual_seed(0), augment=True)


def plain_of(data: Dataset[Any], device: torch.device) -> Batches:
    """With as many worker processes as we have threads."""
    loader = DataLoader(data, BATCH, shuffle=True, num_workers=torch.get_num_threads(),
                        pin_memory=device.type == "cuda", persistent_workers=True)  # fmt: skip
    return lambda: ((x.to(device, non_blocking=True), y.to(device, non_blocking=True)) for x, y in loader)


def images_per_second(batches: Batches, device: torch.device) -> float:
    counts: list[int] = []
    taken = seconds(lambda: counts.extend(len(images) for images, _ in batches()), device)
    return sum(counts) / taken


def waiting(batches: Batches, arch: str, device: torch.device) -> float:
    """The share of time that the device waits for images, in percent."""
    model = architectures.build(arch, channels=3).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, fused=True)
    waited, begun = 0.0, 0.0
    given = iter(batches())
    for step in range(STEPS + 2):  # the first two steps allocate memory and start the workers
        if step == 2:
            waited, begun = 0.0, time.perf_counter()
        asked = time.perf_counter()
        images, labels = next(given)
        waited += time.perf_counter() - asked
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        loss.item()
    return 100 * waited / (time.perf_counter() - begun)


def rows(device: torch.device) -> Iterator[tuple[dict, list[str]]]:
    with tempfile.TemporaryDirectory() as folder:
        deep = "resnet50" if device.type == "cuda" else "resnet18"
        sets = {
            ("32 px in memory", "cifar_resnet20"): small(device),
            ("224 px JPEG folders", deep): folders(Path(folder), device),
        }
        for (name, arch), ways in sets.items():
            reading = [[images_per_second(way, device) for way in ways] for _ in range(ROUNDS + 1)][1:]
            waits = [[waiting(way, arch, device) for way in ways] for _ in range(ROUNDS)]
            ours, plain = (statistics.median(column) for column in zip(*reading, strict=True))
            ours_waits, plain_waits = (statistics.median(column) for column in zip(*waits, strict=True))
            ratios = sorted(a / b for a, b in reading)
            row = {"images": name, "network": arch, "ours": ours, "plain": plain, "ratios": ratios,
                   "ours_waits": ours_waits, "plain_waits": plain_waits}  # fmt: skip
            spread = f"{ours / plain:.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})"
            yield row, [f"{name}, {arch}", f"{ours:,.0f}", f"{plain:,.0f}", spread,
                        f"{ours_waits:.1f} %", f"{plain_waits:.1f} %"]  # fmt: skip
