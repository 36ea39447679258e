"""Load a network from a pack file, and save it atomically; a save never changes a bit of a sealed task."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from packnet_core.errors import FileError, NotSaved, disk_errors
from packnet_core.files.atomic import Written
from packnet_core.files.safetensors_reader import SafetensorsFile
from packnet_core.files.safetensors_writer import ALIGNED, Encoded, write_safetensors
from packnet_core.network import architectures, layers, owners
from packnet_core.network.blockwise import on_threads
from packnet_core.network.packed import PackedNetwork
from packnet_core.packfile import trust
from packnet_core.packfile.header import HEAD, OWNER, REST, check_header, encode_document, read_header
from packnet_core.packfile.stored import Stored, read, read_owners
from packnet_core.schema.document import Document, planes
from packnet_core.schema.events import Event, Note, Saved

LayerArrays = tuple[NDArray[np.float32], owners.Bytes]  # weights and owners of one layer, of the same shape
MAPPED = 1 << 18  # weights; a layer with as many or more stays mapped


@dataclass(frozen=True)
class Planes:
    """A layer's owners as the file has them, encoded only when they are written: one layer at a time."""

    owner: Tensor
    tasks: int

    @property
    def dtype(self) -> torch.dtype:
        """The type of the bit planes, uint8."""
        return torch.uint8

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the bit planes, [bits, ceil(n/8)]."""
        return planes(self.tasks), (self.owner.numel() + 7) // 8

    def array(self) -> owners.Bytes:
        """Encode the bit planes."""
        return owners.encode(self.owner.cpu().numpy(), self.tasks)


def load(path: str | Path, device: torch.device | str = "cpu") -> tuple[PackedNetwork, Document]:
    """Read a pack file: the network on `device`, and the document of the header.

    On the CPU, large layers are mapped instead of read: they use the pages of the file's cache until they are written
    to. So there is no second copy, and training changes nothing in the file. Raises FileError, naming what is wrong,
    if the file disagrees with its architecture or counts, RequestError if its architecture is code that this
    user has not trusted (see `trust`).
    """
    stored = read(path)
    return network_of(stored, stored.path, device), stored.document


def network_of(stored: Stored, file: Path, device: torch.device | str = "cpu") -> PackedNetwork:
    """Build the network of a pack file, `file`, with these tensors. Raises what `load` raises."""
    document, device = stored.document, torch.device(device)
    model = skeleton(stored, file)
    tensors = {name: _placed(tensor, device) for name, tensor in {**stored.weights, **stored.rest}.items()}
    for name, target in model.state_dict(keep_vars=True).items():
        if name in tensors and not target.is_meta:
            target.data = tensors[name]  # not assigned: tied weights stay tied
            tensors[name] = target
    model.load_state_dict(tensors, strict=False, assign=True)
    has_bias = model.get_submodule(document.architecture.head).bias is not None
    head = nn.Linear(document.architecture.features, 1, bias=has_bias)  # has its memory
    model.set_submodule(document.architecture.head, head)
    network = PackedNetwork(model, document.architecture.head)
    network.owners = {name: owner.to(device) for name, owner in stored.owners.items()}
    for task, tensors in zip(document.tasks, stored.heads, strict=True):
        head = nn.Linear(network.features, len(task.classes), device="meta")
        head.load_state_dict({part: tensor.clone() for part, tensor in tensors.items()}, assign=True)
        network.heads.append(head)
    network.own = [{name: tensor.clone() for name, tensor in own.items()} for own in stored.own]
    network.open = len(document.tasks) if document.open_task else 0
    network.to(device)
    return network


def skeleton(stored: Stored, file: Path) -> nn.Module:
    """The model of a pack file, `file`, whose tensors have the names and shapes of those stored, and no memory.

    Raises FileError if they do not, RequestError if this user has not trusted the code that the file names.
    """
    architecture, input = stored.document.architecture, stored.document.input
    trust.require(file, architecture.name)
    model = architectures.skeleton(architecture.name, channels=input.channels)

    def wrong(what: str) -> NoReturn:
        raise FileError(f"{stored.path.name} and its network {architecture.name} disagree: {what}")

    head = architectures.find_head(model)
    features = int(model.get_submodule(head).in_features)  # type: ignore[arg-type]  # it is a linear layer
    if architecture.head != head or architecture.features != features:
        wrong(f"its head is {head!r} with {features} features, not {architecture.head!r} with {architecture.features}")
    partition = layers.partition(model, head)
    if list(partition.weights) != list(stored.weights):
        wrong(f"of the layers, {_differing(partition.weights, stored.weights)}")
    if partition.rest.keys() != stored.rest.keys():
        wrong(f"of the other tensors, {_differing(partition.rest, stored.rest)}")
    for name, target in {**partition.weights, **partition.rest}.items():
        source = stored.weights[name] if name in stored.weights else stored.rest[name]
        if (target.dtype, target.shape) != (source.dtype, source.shape):
            wrong(f"{name!r} is {target.dtype} {list(target.shape)}, not {source.dtype} {list(source.shape)}")
    for index, (task, own) in enumerate(zip(stored.document.tasks, stored.own, strict=True), 1):
        for name in own.keys() ^ set(layers.own_names(model, partition.rest, task.own)):
            wrong(f"tensor {f'{REST}{index}.{name}'!r} {'belongs to nothing' if name in own else 'is missing'}")
    return model


@disk_errors()
def save(
    path: str | Path, network: PackedNetwork, document: Document, *, new: bool = False, drop: bool = False
) -> Written:
    """Write a network and its document to a pack file, atomically. Returns what `replace_file` returns.

    Before the rename, the new header is read again and compared, and all that sealed tasks use is compared with the
    present file, bit by bit (law 1). With `drop` the newest task may be missing. With `new` no file is replaced.

    Raises NotSaved, and leaves the file as it was, if a sealed task would change or the file could not be read
    again, DiskError if the disk refuses, RequestError if `new` and there is a file.
    """
    path = Path(path)
    tensors, metadata = contents(network, document)

    def check_written(temporary: Path) -> None:
        try:
            written = read_header(temporary).document
        except FileError as error:
            raise NotSaved(f"{path.name} was left as it was: its new state can't be read again ({error})") from None
        if written != document:
            raise NotSaved(f"{path.name} was left as it was: its new header reads otherwise. Please report this")

    if new or not path.exists():
        return write_safetensors(path, tensors, metadata, check_written, new=new)
    with ThreadPoolExecutor(1, "sealed") as pool:  # while the disk is busy
        checked = pool.submit(check_sealed, path, network, document, drop)

        def check(temporary: Path) -> None:
            check_written(temporary)
            checked.result()

        return write_safetensors(path, tensors, metadata, check)


def events_of(written: Written) -> list[Event]:
    """The events of a save: Saved, after a warning if the disk did not confirm it."""
    doubt = [Note(text=written.doubt, level="warning")] if written.doubt else []
    return [*doubt, Saved(bytes=written.bytes)]


def contents(network: PackedNetwork, document: Document) -> tuple[dict[str, Tensor | Encoded], dict[str, str]]:
    """The tensors and the metadata of the file for a network and its document."""
    count = network.tasks
    tensors: dict[str, Tensor | Encoded] = {**network.weights, **network.rest}
    for index, head in enumerate(network.heads, 1):
        tensors[f"{HEAD}{index}.weight"], tensors[f"{HEAD}{index}.bias"] = head.weight, head.bias
        tensors |= {f"{REST}{index}.{name}": tensor for name, tensor in network.own[index - 1].items()}
    if count > 1:
        for name, owner in network.owners.items():
            tensors[OWNER + name] = Planes(owner, count)
    return tensors, {"format": "pt", "packnet": encode_document(document)}


def check_sealed(path: Path, network: PackedNetwork, document: Document, drop: bool = False) -> None:
    """Compare all that sealed tasks use with the present file, bit by bit (law 1).

    These are the tasks that are sealed in the present file (with `drop`, without the newest one), and those that are
    sealed in `document`. Raises NotSaved if one is missing or differs.
    """

    def refuse(what: str) -> NoReturn:
        raise NotSaved(f"{what} of a sealed task would change; {path.name} was left as it was. Please report this")

    file = SafetensorsFile(path)
    before = check_header(path, file.header).document
    sealed = max(_sealed(before) - drop, _sealed(document))
    for index, task in enumerate(before.tasks[:sealed]):
        if index >= len(document.tasks) or document.tasks[index].digest != task.digest:
            refuse(f"the digest or the place of {task.name!r}")
    if not sealed:
        return
    for name, parameter in network.weights.items():
        weight = file.tensor(name).numpy()
        then = weight, read_owners(file, before, name, weight)
        now = parameter.detach().cpu().numpy(), network.owners[name].cpu().numpy()
        if not _same_sealed(then, now, sealed):
            refuse(f"layer {name!r}")
    for name, tensor in network.rest.items():
        if not _same_bits(file.tensor(name), tensor):
            refuse(f"{name!r}")
    for index, task in enumerate(document.tasks[:sealed], 1):
        for part_name, tensor in network.heads[index - 1].state_dict().items():
            if not _same_bits(file.tensor(f"{HEAD}{index}.{part_name}"), tensor):
                refuse(f"the head of task {task.name!r}")
        for name, tensor in network.own[index - 1].items():
            if not _same_bits(file.tensor(f"{REST}{index}.{name}"), tensor):
                refuse(f"{name!r} of task {task.name!r} alone")


def _sealed(document: Document) -> int:
    return sum(task.phase == "sealed" for task in document.tasks)


def _same_sealed(then: LayerArrays, now: LayerArrays, sealed: int) -> bool:
    """Whether the first `sealed` tasks own the same weights of a layer, with the same bits."""
    (weight, owner), (weight_now, owner_now) = ((w.reshape(-1).view(np.uint32), o.reshape(-1)) for w, o in (then, now))

    def same(stretch: Iterator[slice]) -> bool:
        for part in stretch:
            # owners of sealed weights, 0 for others: `x - 1 < sealed` in bytes, in which 0 - 1 is 255
            mine = owner[part] * (owner[part] - np.uint8(1) < sealed)
            theirs = owner_now[part] * (owner_now[part] - np.uint8(1) < sealed)
            if not np.array_equal(mine, theirs) or bool(((weight[part] != weight_now[part]) & (mine != 0)).any()):
                return False
        return True

    return all(on_threads(same, weight.size))


def _stays(mapped: Tensor) -> bool:
    """Whether a tensor may stay mapped: it is large, and aligned as torch's own memory is.

    Sums, and so the last bits of results, may depend on the alignment.
    """
    return mapped.numel() >= MAPPED and mapped.data_ptr() % ALIGNED == 0


def _placed(tensor: Tensor, device: torch.device) -> Tensor:
    """A stored tensor on a device, in memory of its own unless it stays mapped."""
    return tensor.to(device) if _stays(tensor) or device.type != "cpu" else tensor.clone()


def _differing(wanted: Iterable[str], found: Iterable[str]) -> str:
    """Names that only one side has, as text."""
    missing, odd = (sorted(set(a) - set(b))[:3] for a, b in ((wanted, found), (found, wanted)))
    sides = [f"the file lacks {', '.join(map(repr, missing))}"] if missing else []
    sides += [f"the network lacks {', '.join(map(repr, odd))}"] if odd else []
    return " and ".join(sides) or "the order differs"


def _same_bits(a: Tensor, b: Tensor) -> bool:
    x, y = a.contiguous().numpy(), b.detach().cpu().contiguous().numpy()
    return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()
