"""Mutants of everything that comes from outside: files, sockets, arguments. Each is taken, or refused in one line.

    python -m tests.faults.mutants --count 50000                (also: --kinds header,socket --seed 1 --keep FOLDER)

Mutants of files and messages are changed bytes; those of arguments are calls, as text, with values of any type. What
fails is kept in a folder; `corpus/` has every input that ever broke something, and the ordinary suite replays it.
"""

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path
from types import FrameType

from tests.faults import hostile_calls, hostile_files

PATIENCE = 20.0  # seconds that one mutant may take
ROOM = 2 << 30  # bytes of address space that mutants may take beside what is loaded
KINDS = {**hostile_files.KINDS, **hostile_calls.KINDS}
TOKENS = [
    b'"', b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"-1", b"0", b"1e999", b"NaN", b"9" * 400,
    b"4294967296", b"18446744073709551616", b"0.5", b"\xff", b"\x00", b"\n", b"\\ud800", b"\\u0000", "²".encode(),
    b"\x1b]52;c;", b"..", b"/", b'"packnet"', b'"sealed"', b"os:abort", b"__metadata__", b"[" * 2000,
]  # fmt: skip


def mutated(raw: bytes, draw: random.Random) -> bytes:
    """Bytes after one to four random changes."""
    found = bytearray(raw)
    for _ in range(draw.choice([1, 1, 1, 2, 3, 4])):
        begin = draw.randrange(len(found) + 1)
        end = min(len(found), begin + draw.choice([1, 1, 2, 4, 8, 32, 200]))
        match draw.randrange(8):
            case 0 if begin < len(found):
                found[begin] ^= 1 << draw.randrange(8)
            case 1:
                del found[begin:end]
            case 2:
                found[begin:end] = found[begin:end] * 2
            case 3:
                found[begin:begin] = draw.choice(TOKENS)
            case 4:
                found[begin:end] = draw.choice(TOKENS)
            case 5:
                found[begin:end] = draw.randbytes(end - begin)
            case 6 if draw.random() < 0.2:
                del found[begin:]
            case 7:
                other = draw.randrange(len(found) + 1)
                found[begin:end] = found[other : other + end - begin]
    return bytes(found)


@contextmanager
def limited() -> Iterator[None]:
    """A mutant that takes too long raises TimeoutError; one that takes too much memory, MemoryError."""

    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"no answer within {PATIENCE:.0f} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def attempt(kind: str, world: "hostile_files.World", raw: bytes) -> str | None:
    """Try one mutant. Returns the traceback if it was neither taken nor refused in one line."""
    said = TextIOWrapper(BytesIO(), "utf-8", write_through=True)
    try:
        with limited(), redirect_stdout(said), redirect_stderr(said):
            KINDS[kind].attempt(world, raw)
    except BaseException:
        return traceback.format_exc()
    said.seek(0)
    text = said.read()
    return text if "Traceback" in text else None


def run(counts: dict[str, int], seed: int, keep: Path | None) -> dict[str, int]:
    """Try `counts` mutants of each kind. Returns how many failed, by kind. One of each failure is kept in `keep`."""
    failed: Counter[str] = Counter()
    seen: set[str] = set()
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with (
        tempfile.TemporaryDirectory(prefix="mutants-", dir=memory) as folder,
        hostile_files.World(Path(folder)) as world,
    ):
        for kind, count in counts.items():
            draw = random.Random(f"{seed} {kind}")
            begun = time.monotonic()
            seeds = KINDS[kind].seeds(world)
            for number in range(count):
                raw = KINDS[kind].made(draw) if not seeds else mutated(draw.choice(seeds), draw)
                if (found := attempt(kind, world, raw)) is None:
                    continue
                failed[kind] += 1
                where = " ".join(line for line in found.splitlines() if line.startswith("  File"))[-300:]
                if (kind + where) not in seen:
                    seen.add(kind + where)
                    print(f"-- {kind} {number}: {raw[:400]!r}\n{found[-2500:]}", flush=True)
                    if keep:
                        keep.mkdir(exist_ok=True)
                        (keep / f"{kind}-found-{hashlib.sha256(raw).hexdigest()[:8]}").write_bytes(raw)
            print(f"{kind}: {count} mutants, {failed[kind]} failed, {time.monotonic() - begun:.0f} s", flush=True)
        if problems := world.problems():
            failed["engine"] += 1
            print(problems)
    return failed


def corpus() -> list[tuple[str, bytes]]:
    """Every kept input: its file's name, which begins with its kind, and its content."""
    return [(path.name, path.read_bytes()) for path in sorted((Path(__file__).parent / "corpus").iterdir())]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.mutants", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--count", type=int, default=50_000, help="of all kinds together")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for what fails")
    given = parser.parse_args()
    kinds = given.kinds.split(",")
    share = given.count / sum(KINDS[kind].share for kind in kinds)
    counts = {kind: round(share * KINDS[kind].share) for kind in kinds}
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    failed = run(counts, given.seed, given.keep)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"mutants": sum(counts.values()), "failed": dict(failed), "counts": counts}))
    print(f"peak memory {peak / 1e3:.0f} MB (at the start {begun / 1e3:.0f} MB); {size / 1e9:.1f} GB mapped")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
