"""The header of a pack file, read and checked without torch and without reading a weight.

A safetensors file starts with eight bytes (the header's length, little-endian), then the header: a JSON object with
every tensor's type, shape and offsets, and `__metadata__`. Our document is the metadata entry `packnet`.
"""

from pathlib import Path
from typing import Any, NoReturn

import msgspec
from msgspec import Struct

from packnet_core.errors import FileError, RequestError
from packnet_core.files.safetensors_header import SafetensorsHeader, TensorInfo, read_safetensors_header
from packnet_core.schema.document import FORMAT_VERSION, MOST_TASKS, Document, dense_layers, planes
from packnet_core.schema.text import UNREADABLE, from_json

OWNER, HEAD, REST = "packnet.owner.", "packnet.head.", "packnet.rest."


class Header(Struct, frozen=True):
    """A checked header: the document; each tensor's type, shape and offsets; the size of the file in bytes."""

    document: Document
    tensors: dict[str, TensorInfo]
    file_bytes: int

    def bytes_by_kind(self) -> dict[str, int]:
        """The bytes of the file, and of its parts: prunable weights (`network`), owners, heads, shared rest."""
        layers = {layer.name for layer in self.document.layers}
        sums = {"file": self.file_bytes, "network": 0, "owners": 0, "heads": 0, "rest": 0}
        for name, info in self.tensors.items():
            kind = (
                "network" if name in layers
                else "owners" if name.startswith(OWNER)
                else "heads" if name.startswith(HEAD)
                else "rest"
            )  # fmt: skip
            sums[kind] += info.bytes
        return sums


class _Version(Struct):
    version: Any = None


def read_header(path: str | Path) -> Header:
    """Read and check the header of a pack file.

    Raises FileError, naming what is wrong, if the file is missing, truncated, not a pack file or from a newer version,
    or if its sums, shapes or types contradict each other.
    """
    path = Path(path)
    return check_header(path, read_safetensors_header(path))


def check_header(path: Path, header: SafetensorsHeader) -> Header:
    """Check the header of a safetensors file as that of a pack file. Raises FileError as `read_header` does."""
    metadata, tensors, size, _ = header
    if "packnet" not in metadata:
        raise FileError(
            f"{path.name} is a plain safetensors file, not a pack file; begin one from it with: "
            f"packnet new FILE.safetensors --arch NAME --weights {path}"
        )
    document = _decode_document(path, metadata["packnet"])
    _Check(path, document, tensors).all()
    return Header(document, tensors, size)


def encode_document(document: Document) -> str:
    """The document as JSON, the text of the metadata entry `packnet`."""
    return msgspec.json.encode(document).decode()


def _decode_document(path: Path, text: str) -> Document:
    try:
        version = from_json(text, _Version).version
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise FileError(
                f"{path.name} has format version {version}, and this packnet reads up to {FORMAT_VERSION}; "
                "upgrade packnet-tui"
            )
        return from_json(text, Document)
    except UNREADABLE as error:
        raise FileError(f"{path.name}: its packnet document can't be read ({error})") from None


class _Check:
    """Checks that a document and the tensors of its file agree. Every method raises FileError if they do not."""

    def __init__(self, path: Path, document: Document, tensors: dict[str, TensorInfo]):
        self.path, self.document, self.tensors = path, document, tensors

    def all(self) -> None:
        self.tasks()
        self.layers()
        self.heads()
        self.rest()
        known = {layer.name for layer in self.document.layers}
        known |= {OWNER + name for name in known if self.owner_bits}
        known |= {f"{HEAD}{i}.{part}" for i in range(1, len(self.document.tasks) + 1) for part in ("weight", "bias")}
        for name in self.tensors:
            if name.startswith("packnet.") and name not in known and not name.startswith(REST):  # see `rest`
                self.wrong(f"tensor {name!r} belongs to nothing")

    def wrong(self, what: str) -> NoReturn:
        raise FileError(f"{self.path.name}: {what}")

    @property
    def owner_bits(self) -> int:
        return planes(len(self.document.tasks))

    def tensor(self, name: str, dtype: str, shape: tuple[int, ...]) -> None:
        info = self.tensors.get(name)
        if info is None:
            self.wrong(f"tensor {name!r} is missing")
        if (info.dtype, info.shape) != (dtype, shape):
            self.wrong(f"tensor {name!r} is {info.dtype} {list(info.shape)}, and should be {dtype} {list(shape)}")

    def tasks(self) -> None:
        tasks = self.document.tasks
        if len(tasks) > MOST_TASKS:
            self.wrong(f"{len(tasks)} tasks, and there can be {MOST_TASKS}")
        names = [task.name for task in tasks]
        if len(set(names)) < len(names):
            self.wrong("two tasks have the same name")
        for task in tasks[:-1]:
            if task.phase != "sealed":
                self.wrong(f"task {task.name!r} is {task.phase}, and only the newest task may be open")
        channels = self.document.input.channels
        if not len(self.document.input.mean) == len(self.document.input.std) == channels:
            self.wrong(f"mean and std should have {channels} values each, one per channel")

    def layers(self) -> None:
        try:
            dense = dense_layers(self.document)
        except RequestError as error:
            self.wrong(str(error))
        if len({layer.name for layer in self.document.layers}) < len(self.document.layers):
            self.wrong("two layers have the same name")
        for layer in self.document.layers:
            n = layer.weights
            self.tensor(layer.name, "F32", layer.shape)
            if (
                len(layer.owned) != len(self.document.tasks)
                or sum(layer.owned) > n
                or (layer.name in dense and sum(layer.owned) != n)
            ):
                self.wrong(f"layer {layer.name!r} has {n} weights, and its owners' counts are {list(layer.owned)}")
            if self.owner_bits:
                self.tensor(OWNER + layer.name, "U8", (self.owner_bits, (n + 7) // 8))

    def rest(self) -> None:
        """Check that tensors that replace shared ones for one task have their type and shape."""
        tasks = {str(index): task for index, task in enumerate(self.document.tasks, 1)}
        for name in self.tensors:
            if not name.startswith(REST):
                continue
            index, _, shared = name.removeprefix(REST).partition(".")
            task = tasks.get(index)
            like = self.tensors.get(shared)
            if task is None or not task.own or like is None:
                self.wrong(f"tensor {name!r} belongs to nothing")
            self.tensor(name, like.dtype, like.shape)

    def heads(self) -> None:
        for index, task in enumerate(self.document.tasks, 1):
            if not task.classes:
                self.wrong(f"task {task.name!r} has no classes")
            self.tensor(f"{HEAD}{index}.weight", "F32", (len(task.classes), self.document.architecture.features))
            self.tensor(f"{HEAD}{index}.bias", "F32", (len(task.classes),))
