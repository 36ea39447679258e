"""Kinds of mutants that are calls: of the API, with values of any type, and of the command line, with any words."""

import inspect
import json
import os
import shlex
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

import packnet_core
from packnet_core.errors import PacknetError
from packnet_core.packfile.verify import verify
from packnet_tui.cli.main import packnet
from tests.faults.hostile_files import Kind, World, one_line

VALUES = """
None | True | False | ... | -1 | 0 | 1 | 2 | 3 | 0.0 | 0.5 | 1.0 | 1.5 | -0.5 | 10**9 | 2**31 | 2**63 | 2**70
-2**70 | 1e308 | float("nan") | float("inf") | "" | " " | "one" | "two" | "x" | "norms" | "conv" | "paper" | "best"
"sgd" | "0.5" | "cpu" | "\\x1b[2J" | "\\ud800" | "a\\nb" | "\\0" | "a" * 10_000 | "²" | "." | "/nowhere"
"sklearn:digits" | "nosuch:x" | ":" | b"x" | [] | () | {} | set() | [None] | ["norms"] | ("biases",) | ["one", 2]
[[]] | {"conv": 0.5} | {"*": 2} | {1: 2} | {"one": DATA} | {"two": None} | {"norms"} | frozenset({0.5}) | range(3)
iter(["norms"]) | (i for i in "ab") | object() | type | print | lambda: 1 | 1j | DATA | str(DATA)
Path("nosuch.npz") | Path("\\ud800") | bytearray(b"x") | memoryview(b"x") | np.float32(0.5) | np.int64(3)
np.bool_(True) | np.nan | np.array([0.5, 0.6]) | np.array(3) | np.zeros((0,)) | np.array(["one"]) | np.array(None)
np.zeros((8, 8), np.uint8) | np.zeros((2, 8, 8), np.uint8) | np.zeros((2, 8, 8, 3)) | np.ones((1, 8, 8), complex)
np.datetime64("2000-01-01") | torch.tensor(0.5) | torch.zeros(2, 8, 8) | torch.zeros(2, 1, 8, 8)
torch.zeros(3, device="meta") | torch.nn.Linear(2, 2) | torch.eye(3).to_sparse() | torch.float32
torch.device("cpu") | packnet_core.Recipe() | packnet_core.Recipe | NotImplemented | KeyError("x")
__import__("decimal").Decimal("0.5") | __import__("fractions").Fraction(1, 2) | __import__("datetime").date.min
__import__("enum").Enum("E", "one") | __import__("enum").StrEnum("E", "one").one | open(os.devnull) | Hostile()
[Hostile()]
""".replace("\n", "|").split("|")  # fmt: skip
VALUES = [value.strip() for value in VALUES if value.strip()]
CALLS = {  # what a call must have, as text; other arguments come from its signature
    "file.add": {"task": '"x"', "data": "DATA", "epochs": "1", "retrain_epochs": "1", "yes": "True"},
    "file.prune": {"ratio": "0.5", "yes": "True"},
    "file.train": {"yes": "True"},
    "file.evaluate": {},
    "file.preview": {},
    "file.drop": {"task": '"two"'},
    "file.export": {"task": '"one"', "out": 'FOLDER / "out.safetensors"'},
    "file.prepare": {"images": "np.zeros((2, 8, 8), np.uint8)"},
    "file.answer": {"images": "torch.zeros(2, 1, 8, 8)", "tasks": '"one"'},
    "file.model": {"task": '"one"'},
    "file.forecast": {"ratio": "0.5"},
    "packnet_core.open": {"path": "PATH"},
    "packnet_core.new": {
        "path": 'FOLDER / "new.safetensors"',
        "arch": '"digits_net"',
        "input_size": "8",
        "channels": "1",
    },
}  # fmt: skip
MORE = {"packnet_core.new": ("mean", "std", "flip", "crop", "limit", "seed")}  # its `options`


class Hostile:
    """An object whose every use fails."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"hostile\n{name}")

    def __iter__(self) -> Any:
        raise RuntimeError("hostile")

    def __bool__(self) -> bool:
        raise RuntimeError("hostile")

    __str__ = __repr__ = __len__ = __eq__ = __hash__ = __float__ = __index__ = __iter__  # type: ignore[assignment]


class Enough(BaseException):
    """A job was allowed and went on for a while."""


def made_call(draw: Random) -> bytes:
    """A call of the API as text, with one to three arguments of any value."""
    name = draw.choice(list(CALLS))
    owner = packnet_core.PackFile if name.startswith("file.") else packnet_core
    signature = inspect.signature(getattr(owner, name.partition(".")[2]))
    kinds = inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL
    names = [p.name for p in signature.parameters.values() if p.kind not in kinds and p.name not in ("self", "listen")]
    names += MORE.get(name, ())
    several = [p.name for p in signature.parameters.values() if p.kind is inspect.Parameter.VAR_POSITIONAL]
    given, first = dict(CALLS[name]), ""
    for _ in range(draw.choice([1, 1, 2, 3])):
        if several and draw.random() < 0.5:
            first = "".join(f"{draw.choice(VALUES)}, " for _ in range(draw.choice([1, 2])))
        elif names:
            given[draw.choice(names)] = draw.choice(VALUES)
    return f"{name}({first}{', '.join(f'{key}={value}' for key, value in given.items())})".encode()


def try_call(world: World, raw: bytes) -> None:
    """A call of the API: a PacknetError of one line and the same file, or a success that `verify` accepts."""
    entries = 0

    def listen(_: object) -> None:
        nonlocal entries
        entries += 1
        if entries > 60:
            raise Enough

    world.paths.give_up()
    new, out = world.folder / "new.safetensors", world.folder / "out.safetensors"
    here = os.getcwd()
    os.chdir(world.folder)
    names = {
        "file": packnet_core.open(world.path, device="cpu", listen=listen), "packnet_core": packnet_core, "np": np,
        "torch": torch, "os": os, "Path": Path, "DATA": world.data, "PATH": world.path, "FOLDER": world.folder,
        "Hostile": Hostile,
    }  # fmt: skip
    refused = False
    try:
        try:
            eval(raw.decode(), names)
        except PacknetError as error:
            one_line(error)
            refused = True
        except Enough:
            refused = True
        unchanged = world.path.read_bytes() == world.good
        assert unchanged or not refused, "a refused call changed the file"
        for path in (world.path, new):
            assert (path == new and not path.exists()) or all(finding.ok for finding in verify(path))
    finally:
        os.chdir(here)
        for path in (new, out):
            path.unlink(missing_ok=True)
        world.paths.give_up()
        world.restore()


COMMANDS = (
    "new", "add", "prune", "train", "eval", "preview", "baseline", "drop", "undo", "discard", "inspect", "verify",
    "export", "watch", "stop", "sizes", "forecast",
)  # fmt: skip
STARTS = {  # what makes a command complete
    "new": "new new.safetensors --arch digits_net --input-size 8 --channels 1",
    "add": "add FILE x --data DATA --epochs 1 --yes",
    "prune": "prune FILE 0.5 --yes",
    "train": "train FILE --epochs 1 --yes",
    "eval": "eval FILE",
    "preview": "preview FILE",
    "baseline": "baseline FILE classifier --epochs 1",
    "drop": "drop FILE two --yes",
    "undo": "undo FILE",
    "discard": "discard FILE --yes",
    "inspect": "inspect FILE",
    "verify": "verify FILE",
    "export": "export FILE one out.safetensors",
    "watch": "watch FILE",
    "stop": "stop FILE",
    "sizes": "sizes --arch digits_net",
    "forecast": "forecast FILE",
}
WORDS = [
    "", " ", "-", "--", "-1", "0", "1", "2", "0.5", "1.5", "-0.5", "nan", "inf", "1e999", "1e308", "9" * 30, "0x10",
    "²", "1_0", "x", "one", "two", "FILE", "DATA", "nosuch", "nosuch.safetensors", "DATA.safetensors", ".", "/", "..",
    "/dev/null", "a" * 5000, "\x1b[2J", "\udcff", "a\nb", "conv=0.5", "conv=", "=", "==", "one=DATA", "one=",
    "sklearn:nosuch", "digits:", "torchvision:Nosuch", "cpu", "meta", "cuda:99", "sgd", "adamw", "cosine", "norms",
    "biases", "conv", "*", "[", "paper", "best", "none", "os:abort", "classifier", "lwf", "null", "--help", "-h",
    "--json", "--yes", "--version", "--nosuch", "@x", "%s", "{}", "$HOME", "~", "~x",
]  # fmt: skip


def _options() -> dict[str, list[str]]:
    """The options of each command, as the program has them."""
    import typer

    from packnet_tui.cli.program import app

    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return {
        name: [option for p in commands[name].params for option in (*p.opts, *p.secondary_opts) if option[:1] == "-"]
        for name in COMMANDS
    }


OPTIONS = _options()


def made_words(draw: Random) -> bytes:
    """A command line as JSON: a good one with some of its words replaced, and options and words put in."""
    name = draw.choice(COMMANDS)
    words = shlex.split(STARTS[name])
    for _ in range(draw.choice([1, 1, 2, 3, 4])):
        place = draw.randint(1, len(words))
        match draw.randrange(4):
            case 0 if place < len(words):
                words[place] = draw.choice(WORDS)
            case 1:
                words.insert(place, draw.choice(WORDS))
            case 2 if len(words) > 2 and place < len(words):
                del words[place]
            case _:
                words += [draw.choice(OPTIONS[name] or ["--"]), draw.choice(WORDS)]
    return json.dumps(words).encode()


def try_words(world: World, raw: bytes) -> None:
    """A command line: exit status 0, 1 or 2, and a file that `verify` accepts."""
    world.paths.give_up()
    known = {"FILE": str(world.path), "DATA": str(world.data)}
    words = [known.get(word, word.replace("=DATA", f"={world.data}")) for word in json.loads(raw)]
    here, before = os.getcwd(), set(os.listdir(world.folder))
    os.chdir(world.folder)
    try:
        status = packnet(words)
        assert status in (0, 1, 2), status
        assert all(finding.ok for finding in verify(world.path))
    finally:
        os.chdir(here)
        for name in set(os.listdir(world.folder)) - before:
            with suppress(OSError):
                (world.folder / name).unlink()
        world.paths.give_up()
        world.restore()


KINDS = {
    "call": Kind(try_call, lambda _: [], 15, made_call),
    "words": Kind(try_words, lambda _: [], 10, made_words),
}
