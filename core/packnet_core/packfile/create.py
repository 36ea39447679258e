"""Make a new pack file from an architecture and weights; the task that the weights were trained for can be kept."""

import copy
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import torch
from msgspec import Meta
from msgspec.structs import replace
from torch import nn

from packnet_core.data.loading import TaskData, load
from packnet_core.errors import RequestError, disk_errors
from packnet_core.files.atomic import exists
from packnet_core.network import architectures
from packnet_core.network.device import pick_device
from packnet_core.network.frozen_buffers import check_buffers
from packnet_core.network.packed import PackedNetwork
from packnet_core.network.pruning import is_finite
from packnet_core.packfile import storage, trust
from packnet_core.packfile.paths import Paths
from packnet_core.schema.arguments import checked
from packnet_core.schema.document import (
    FORMAT_VERSION,
    Architecture,
    Document,
    Input,
    Layer,
    Step,
    Task,
    check_task_name,
)
from packnet_core.schema.events import Evaluated, Event, PhaseStarted
from packnet_core.schema.limits import LARGEST_SEED, LARGEST_SIDE, MOST_CHANNELS
from packnet_core.schema.recipes import Recipe
from packnet_core.schema.text import printable
from packnet_core.training import memory
from packnet_core.training.evaluate import evaluate

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GREY_MEAN, GREY_STD = (0.449,), (0.226,)  # the averages of those


@checked
def new(
    path: str | Path,
    arch: "str",  # not converted: what is no name is refused with a hint
    *,
    weights: str | Mapping[str, torch.Tensor] = "none",
    input_size: int | None = None,
    channels: int = 3,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    task: str | None = None,
    data_source: str | None = None,
    flip: bool | None = None,
    crop: bool | None = None,
    limit: int | None = None,
    seed: Annotated[int, Meta(ge=0, le=LARGEST_SEED)] = 0,
    device: str | None = None,
) -> Iterator[Event]:
    """Make a pack file. Without `task` every weight is free, and the first task that is added starts from its value.

    With `task`, the given weights keep their head as the first task, of that name. It is open, to be pruned and
    retrained, like the paper's ImageNet network (§3). `weights` is a path, "DEFAULT" (torchvision's), "none" or a state
    dict; `input_size` is in pixels; `mean` and `std` are per channel, in 0..1; at most `limit` training images are
    used.

    Yields the task's evaluation on the test set of `data_source`, and Saved at the end. Raises RequestError if the
    file exists, the architecture is unknown or can't be packed, the weights do not fit, or the head and the data differ
    in their number of classes.
    """
    paths = Paths(path)
    with disk_errors():
        if paths.file.exists():
            raise exists(paths.file)
        if not paths.file.parent.is_dir():
            raise RequestError(f"there is no folder {paths.file.parent}")
    has_weights = not isinstance(weights, str) or weights.lower() != "none"
    if task is not None and not (data_source and has_weights):
        raise RequestError("--task keeps a trained network's head as that task's: it needs --weights and --data")
    if task is not None:
        check_task_name(task)
    if task is None and data_source is not None:
        raise RequestError("--data needs --task, the name of the task that the weights' head was trained for")
    named = weights if isinstance(weights, str) else "given"
    if not isinstance(arch, str):
        raise RequestError(
            f"a network is given by its name, or as module:function that returns it, so that the file can be opened "
            f"again; this is a {type(arch).__name__}"
        )
    given = _input(arch, input_size, channels, mean, std)
    trust.allow(path, arch)  # the user named it
    torch.manual_seed(seed)
    model = architectures.build(arch, channels=channels)
    head = architectures.find_head(model)
    has_head = False
    if has_weights:
        has_head = architectures.fit_weights(model, architectures.load_weights(weights, arch), head)
    network = PackedNetwork(model, head)
    given_head = model.get_submodule(head)
    assert isinstance(given_head, nn.Linear)
    for name, tensor in {**network.weights, **network.rest, **given_head.state_dict()}.items():
        if not is_finite(tensor):
            raise RequestError(f"{name} in the weights {named} has NaN or infinity")
    _try(network, given)
    network.to(pick_device(device))
    document = Document(
        version=FORMAT_VERSION,
        architecture=Architecture(name=arch, head=head, features=network.features),
        input=given,
        tasks=(),
        layers=tuple(Layer(name=name, shape=tuple(w.shape), owned=()) for name, w in network.weights.items()),
        history=(Step(at=time.time(), task=task, what=printable(f"new {arch}, weights {named}")),),
    )
    if task is not None and data_source is not None:
        if not has_head:
            raise RequestError(f"the weights have no head {head!r} to keep for task {task!r}")
        task_data = load(data_source, given, flip=flip, crop=crop, limit=limit, seed=seed)
        document = yield from _given_task(network, document, given_head, task, task_data, seed)
    else:
        for tensor in network.weights.values():
            tensor.data.add_(0.0)  # -0.0 is written as 0.0
    with disk_errors(), paths.locked():
        if paths.file.exists():  # made by another process meanwhile
            raise exists(paths.file)
        paths.retire_journal()
        yield from storage.events_of(storage.save(paths.file, network, document, new=True))


def _given_task(
    network: PackedNetwork, document: Document, head: nn.Linear, task: str, task_data: TaskData, seed: int
) -> Generator[Event, None, Document]:
    """Open a first task with the head of the weights, and measure it on its test set. Returns the new document."""
    if head.out_features != len(task_data.classes):
        raise RequestError(
            f"the weights' head has {head.out_features} classes, and the data has {len(task_data.classes)}; give the "
            "data that the network was trained on, or leave --task out and add the task to the bare network"
        )
    network.open_task(head.out_features, head=head)
    network.end_phase(dense=True)
    error = None
    yield PhaseStarted(phase="eval", task=task, epochs=0, images=len(task_data.test))
    with memory.kept():
        for event in evaluate(network, 1, task, task_data.test):
            if isinstance(event, Evaluated):
                error = event.error
            yield event
    own = network.weights_digest(1)
    record = Task(
        name=task,
        phase="trained",
        classes=task_data.classes,
        data=task_data.record,
        recipe=Recipe(seed=seed),
        prune_ratio=None,
        error=error,
        chance=task_data.chance,
        weights_digest=own,
        digest=network.task_digest(1, [own]),
    )
    counts = network.counts()
    layers = tuple(replace(layer, owned=tuple(counts[layer.name])) for layer in document.layers)
    return replace(document, tasks=(record,), layers=layers)


def _input(
    arch: str, size: int | None, channels: int, mean: Sequence[float] | None, std: Sequence[float] | None
) -> Input:
    size = architectures.default_input_size(arch) if size is None else size
    if not (1 <= size <= LARGEST_SIDE and 1 <= channels <= MOST_CHANNELS):
        raise RequestError(
            f"an input of {channels} channels and size {size} can't be; there are 1 to {MOST_CHANNELS} channels and "
            f"sizes from 1 to {LARGEST_SIDE}"
        )
    colour = channels == 3
    mean = tuple(mean or (IMAGENET_MEAN if colour else GREY_MEAN * channels))
    std = tuple(std or (IMAGENET_STD if colour else GREY_STD * channels))
    if not len(mean) == len(std) == channels or min(std) <= 0:
        raise RequestError(f"--mean and --std need {channels} values each, one per channel, and std above 0")
    return Input(channels=channels, size=size, mean=mean, std=std)


def _try(network: PackedNetwork, given: Input) -> None:
    """Run one image through the network. Raises RequestError if the network can't take this input.

    A second run, with a head of one class more, finds a network that does not end in its head, or that has two.
    """
    model, head = network.model.eval(), network.model.get_submodule(network.head)
    image = torch.zeros(1, given.channels, given.size, given.size)
    try:
        with torch.inference_mode():
            model(image)
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise RequestError(
            f"the network can't take images of {given.channels}×{given.size}×{given.size} ({reason}); see --input-size"
        ) from None
    check_buffers(copy.deepcopy(model), torch.zeros(2, given.channels, given.size, given.size))
    classes = int(head.out_features) + 1  # type: ignore[arg-type]  # a linear layer
    model.set_submodule(network.head, nn.Linear(network.features, classes))
    out = None
    with suppress(RuntimeError, ValueError, AssertionError), torch.inference_mode():
        out = model(image)
    model.set_submodule(network.head, head)
    if not isinstance(out, torch.Tensor) or out.shape != (1, classes):
        raise RequestError(
            f"the network does not end in its last linear layer alone, {network.head!r}, so no head can take its place"
        )
