"""Export one task from a pack file as a plain dense state dict: the masked network with the task's head."""

from pathlib import Path

from packnet_core.errors import RequestError
from packnet_core.files.safetensors_writer import write_safetensors
from packnet_core.network import owners
from packnet_core.packfile import storage


def export(path: str | Path, task: str, out: str | Path) -> int:
    """Write a task's network, with its head, as a safetensors file under the architecture's own names.

    It loads with `load_state_dict` into the same architecture with the task's number of classes. The pack file stays
    as it is. Returns the size of `out` in bytes. Raises RequestError if there is no such task, or `out` exists.
    """
    out = Path(out)
    if out.exists():
        raise RequestError(f"{out} exists already; choose another name, or remove it first")
    if not out.resolve().parent.is_dir():
        raise RequestError(f"there is no folder {out.resolve().parent}")
    network, document = storage.load(path)
    index = document.index(task)
    tensors = {name: owners.masked(w.data, network.owners[name], index) for name, w in network.weights.items()}
    tensors |= network.rest_of(index)
    tensors |= {f"{network.head}.{part}": t for part, t in network.heads[index - 1].state_dict().items()}
    return write_safetensors(out, tensors, {"format": "pt"})
