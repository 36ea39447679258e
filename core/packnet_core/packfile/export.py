"""Export one task from a pack file as a plain dense state dict: the masked network with the task's head."""

from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor, nn

from packnet_core.errors import RequestError, disk_errors
from packnet_core.files.atomic import check_room, exists, remove_leftovers, replace_file
from packnet_core.files.safetensors_writer import write_safetensors
from packnet_core.network import architectures, owners
from packnet_core.packfile import trust
from packnet_core.packfile.stored import Stored, read

PICKLED = (".pth", ".pt")
SUFFIXES = (".safetensors", *PICKLED)


@disk_errors()
def export(path: str | Path, task: str, out: str | Path) -> int:
    """Write a task's network, with its head, under the architecture's own names: .safetensors, or torch's .pth or .pt.

    It loads with `load_state_dict`, strictly, into the same architecture with the task's number of classes. The pack
    file stays as it is. Returns the bytes written. Raises RequestError where there is no such task, `out` exists, or
    its suffix is another one.
    """
    out = Path(out)
    check_suffix(out)
    remove_leftovers(out)  # of an export before this one
    if out.exists():
        raise exists(out)
    if not out.resolve().parent.is_dir():
        raise RequestError(f"there is no folder {out.resolve().parent}")
    tensors = _tensors(read(path), task)
    if out.suffix in PICKLED:
        check_room(out.resolve().parent, sum(tensor.nbytes for tensor in tensors.values()), out.name)
        plain = {name: tensor.clone() for name, tensor in tensors.items()}  # no view: its whole memory is written
        return replace_file(out, lambda file: torch.save(plain, file), new=True).bytes
    return write_safetensors(out, tensors, {"format": "pt"}, new=True).bytes


def check_suffix(out: Path) -> None:
    """Raise RequestError for a file that is written in no format that `export` knows."""
    if out.suffix not in SUFFIXES:
        raise RequestError(
            f"{out.name}: a task is exported as {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, and "
            f"{out.suffix or 'a name without a suffix'} is none of these"
        )


def _tensors(stored: Stored, task: str) -> dict[str, Tensor]:
    """A task's state dict. Where this user trusts the network's code, it has that network's names, all and only."""
    index, head = stored.document.index(task), stored.document.architecture.head
    tensors = {name: owners.masked(weight, stored.owners[name], index) for name, weight in stored.weights.items()}
    tensors |= stored.rest_of(index)
    tensors |= {f"{head}.{part}": tensor for part, tensor in stored.heads[index - 1].items()}
    model = _network(stored)
    wanted = model.state_dict(keep_vars=True) if model else {}
    bias = f"{head}.bias"
    if bias not in wanted and not tensors[bias].any():  # a head without a bias is stored with zeros
        del tensors[bias]
    stored_as = {id(tensor): name for name, tensor in reversed(wanted.items()) if name in tensors}
    for name, tensor in wanted.items():  # tied ones are stored once
        if name not in tensors and id(tensor) in stored_as:
            tensors[name] = tensors[stored_as[id(tensor)]]
    return tensors


def _network(stored: Stored) -> nn.Module | None:
    """The network without values; None where that would run code that this user has not trusted."""
    architecture = stored.document.architecture
    if trust.is_trusted(stored.path, architecture.name):
        with suppress(RequestError):  # the function is not on this machine, or not any more
            return architectures.skeleton(architecture.name, channels=stored.document.input.channels)
    return None
