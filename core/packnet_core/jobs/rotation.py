"""Keep a journal short: what a screen and the list of runs need stays, most steps of finished jobs go. Needs no torch.

Called by the holder of the file's lock between two jobs, since every job in the journal is over then or waits.
"""

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from packnet_core.errors import DiskError
from packnet_core.files.atomic import replace_file
from packnet_core.jobs.history import MOST_RUNS, History
from packnet_core.jobs.journal import Journal, decode, is_progress, is_step
from packnet_core.schema.commands import Add
from packnet_core.schema.events import (
    Checked,
    Compared,
    Entry,
    Evaluated,
    Hardness,
    JobFinished,
    JobStarted,
    PhaseStarted,
)

LARGEST = 32_000_000  # bytes of a journal; a larger one is shortened
STEPS = 128  # lines of single steps that are kept of each run, as many as its curve keeps


def shorten(writer: Journal) -> None:
    """Shorten a journal that is large. It stays as it is if the disk refuses."""
    with suppress(OSError, DiskError):
        if writer.path.stat().st_size > LARGEST:
            writer.replace(_shorten)


def _shorten(path: Path) -> None:
    """Write a journal anew with the last runs, of older ones with the newest results alone."""
    for runs in (MOST_RUNS, MOST_RUNS // 8, MOST_RUNS // 64):
        if sum(map(len, _kept(path, runs))) < LARGEST / 2:
            break

    def write(file: BinaryIO) -> None:
        for line in _kept(path, runs):
            file.write(line)

    replace_file(path, write)


def _kept(path: Path, most: int) -> Iterator[bytes]:
    """The lines of a journal that are kept, with its last runs, at most `most`."""
    history, begins, steps = History(), deque[int](maxlen=most), Counter[int]()
    added: dict[str, int] = {}  # the job that added each task last
    checked: dict[str, int] = {}  # where each task was checked last
    for number, (line, entry) in enumerate(_lines(path)):
        if entry is None:
            steps[_job(line)] += 1
            continue
        history.read(entry)
        match entry.event:
            case JobStarted(command=command):
                begins.append(number)
                if isinstance(command, Add):
                    added[command.task] = entry.job
            case Checked(task=task):
                checked[task] = number
    oldest = begins[0] if len(begins) == most else 0
    seen: Counter[int] = Counter()
    for number, (line, entry) in enumerate(_lines(path)):
        if entry is None:
            job = _job(line)
            if number >= oldest and seen[job] % -(-steps[job] // STEPS) == 0:
                yield line
            seen[job] += 1
        elif number >= oldest or _is_needed(entry, number, history, added, checked):
            yield line


def _is_needed(entry: Entry, number: int, history: History, added: dict[str, int], checked: dict[str, int]) -> bool:
    """Whether an entry of an old run says what is still true: how a task was added, or its newest results."""
    match entry.event:
        case JobStarted() | PhaseStarted() | JobFinished():
            return entry.job in added.values()
        case Evaluated(task=task):
            results = (history.evaluations.get(task), history.samples.get(task))
            return any(result is not None and result.at == entry.at for result in results)
        case Compared(task=task, baseline=baseline):
            result = history.comparisons.get(task, {}).get(baseline)
            return result is not None and result.at == entry.at
        case Hardness(name=name) as event:
            return history.hardness.get(name) == event
        case Checked(task=task):
            return checked[task] == number
    return False


def _lines(path: Path) -> Iterator[tuple[bytes, Entry | None]]:
    """The lines of a journal: steps undecoded, without those of progress and those that can't be decoded."""
    with open(path, "rb") as file:
        for line in file:
            if is_step(line):
                yield line, None
            elif not is_progress(line) and (entry := decode(line)) is not None:
                yield line, entry


def _job(line: bytes) -> int:
    """The number of the job of a line, which is not decoded otherwise."""
    _, _, rest = line.partition(b'"job":')
    digits = rest.partition(b",")[0]
    return int(digits) if digits.isdigit() and len(digits) < 20 else 0
