"""Do a command on a file: in the file's engine if one runs, else in this process."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from packnet_core.engine.client import Engine, connect
from packnet_core.jobs import rules
from packnet_core.jobs.signals import signals_stop
from packnet_core.jobs.unfinished import unfinished
from packnet_core.packfile import trust
from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Command, Discard, Drop, summary
from packnet_core.schema.document import Document
from packnet_core.schema.events import Entry
from packnet_tui.cli.follow import ignore, show, submit
from packnet_tui.cli.on_done import OnDone
from packnet_tui.cli.output.progress import EVERY, Display
from packnet_tui.cli.request import Request
from packnet_tui.cli.shell import INTERRUPTED, complain, confirm, quoted
from packnet_tui.state.job_words import discarding, dropping, file_bytes

STOPPING_MESSAGE = b"\npacknet: stopping after this step; Ctrl-C again ends at once and saves nothing\n"
SHOW_CURSOR = b"\x1b[?25h"


def carry_out(request: Request) -> int:
    """Do a request, after a question if it removes a task or gives up a job. Returns the exit status."""
    file, command = request.file, request.command
    if request.trust is not None:
        trust.trust(file, request.trust)
    if isinstance(command, Drop | Discard) and not command.yes:
        document, stopped = checked_unless_busy(file, command)
        if isinstance(command, Drop):
            undo = f"packnet undo {quoted(file)}"
            words = dropping(command.task, document, stopped, file_bytes(file), undo)
        elif stopped is None:  # damaged, or jobs run: then the engine refuses it
            words = "Give up what is interrupted?", "It can't be resumed."
        else:
            words, command = discarding(stopped, document), replace(command, task=stopped.task)
        question, effect = words
        if not confirm(f"{effect} {question}", f"{summary(command)} asks first; give --yes to skip the question"):
            complain("nothing was dropped" if isinstance(command, Drop) else "nothing was given up")
            return 1
    with OnDone(request.on_done, file) as on_done:
        return do(file, command, request.json, request.every, on_done.read)


def do(
    file: Path, command: Command, json: bool = False, every: float = EVERY, hear: Callable[[Entry], None] = ignore
) -> int:
    """Do a command and show its progress; `hear` gets its entries. Returns the job's exit status.

    Raises RequestError if the file's header shows that it can't be done.
    """
    engine = connect(file)
    if engine is None:
        checked_document(file, command)
        return do_here(file, command, json, every, hear)
    with engine:  # the engine checks the command itself, as it knows its queue
        return submit(engine, rules.named(read_header(file).document, command), json, every, hear)


def checked_document(file: Path, command: Command) -> tuple[Document, Checkpoint | None]:
    """The file's document, and the checkpoint of an interrupted job.

    Raises RequestError if the command can't be done on the file in its present state.
    """
    document = read_header(file).document
    before = unfinished(Paths(file), document)
    rules.check(document, command, before)
    return document, before.checkpoint


def checked_unless_busy(file: Path, command: Command) -> tuple[Document, Checkpoint | None]:
    """As `checked_document`, unless jobs run or wait: then the engine checks later, and the checkpoint is theirs."""
    engine: Engine | None = connect(file)
    if engine is not None:
        with engine:
            status = engine.status()
        if status.job is not None or status.waiting:
            return read_header(file).document, None
    return checked_document(file, command)


def do_here(
    file: Path, command: Command, json: bool = False, every: float = EVERY, hear: Callable[[Entry], None] = ignore
) -> int:
    """Do a command in this process, under the file's lock."""
    from packnet_core.jobs.run_job import run

    stop = threading.Event()
    entries = run(file, command, stop)
    first = next(entries)  # before the job has begun, Ctrl-C simply ends the process
    with stopping(stop):
        return show(chain([first], entries), Display(json, every=every), hear)


@contextmanager
def stopping(stop: threading.Event) -> Iterator[None]:
    """A context in which Ctrl-C and SIGTERM stop the work after its step, and the second one at once.

    A hang-up is ignored (law 7).
    """
    hang_up: Any = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        # a signal handler must not print: a print may be under way
        with signals_stop(stop, first=lambda: os.write(2, STOPPING_MESSAGE), again=_end_at_once):
            yield
    finally:
        signal.signal(signal.SIGHUP, hang_up)


def _end_at_once(number: int) -> None:
    if os.isatty(1):
        os.write(1, SHOW_CURSOR)
    os._exit(INTERRUPTED)
