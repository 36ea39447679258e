"""Export one task from a pack file as a plain dense state dict: the masked network with the task's head."""

from pathlib import Path

from packnet_core.errors import RequestError, disk_errors
from packnet_core.files.safetensors_writer import write_safetensors
from packnet_core.network import owners
from packnet_core.packfile.stored import read


@disk_errors()
def export(path: str | Path, task: str, out: str | Path) -> int:
    """Write a task's network, with its head, as a safetensors file under the architecture's own names.

    It loads with `load_state_dict` into the same architecture with the task's number of classes. The pack file stays
    as it is, and no network is built. Returns the bytes written. Raises RequestError where there is no such task, or
    `out` exists.
    """
    out = Path(out)
    if out.exists():
        raise RequestError(f"{out} exists already; choose another name, or remove it first")
    if not out.resolve().parent.is_dir():
        raise RequestError(f"there is no folder {out.resolve().parent}")
    stored = read(path)
    index, head = stored.document.index(task), stored.document.architecture.head
    tensors = {name: owners.masked(weight, stored.owners[name], index) for name, weight in stored.weights.items()}
    tensors |= stored.rest_of(index)
    tensors |= {f"{head}.{part}": tensor for part, tensor in stored.heads[index - 1].items()}
    return write_safetensors(out, tensors, {"format": "pt"}).bytes
