"""`--on-done CMD`: run the user's own command when a job has ended. It never delays or stops a job.

The command is what the user typed, to the letter; it finds the job in its environment. Nothing from a pack file, a
journal or a task's name becomes a part of the line that the shell runs.
"""

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from packnet_core.errors import WorkError
from packnet_core.jobs.history import History, Run
from packnet_core.schema.commands import summary
from packnet_core.schema.events import Entry
from packnet_core.schema.text import printable
from packnet_tui.cli.shell import complain
from packnet_tui.state.ended_jobs import ended_by, result

PATIENCE = 30.0  # seconds until a command that still runs is left alone
LONGEST = 4000  # characters of a variable
STDERR = 2


def variables(file: Path, run: Run) -> dict[str, str]:
    """What the command finds in its environment about a job that ended. All are set; empty: there is none."""
    task, error = result(run)
    told = {
        "PACKNET_JOB": str(run.job),
        "PACKNET_COMMAND": summary(run.command),
        "PACKNET_OUTCOME": run.outcome,
        "PACKNET_MESSAGE": run.message,
        "PACKNET_SECONDS": "" if run.seconds is None else f"{run.seconds:.1f}",
        "PACKNET_TASK": task,
        "PACKNET_ERROR": f"{error.top1:.2f}" if error else "",
        "PACKNET_IMAGES": str(error.images) if error else "",
    }
    return {"PACKNET_FILE": os.path.abspath(file), **{name: printable(text)[:LONGEST] for name, text in told.items()}}


def run_command(command: str, file: Path, run: Run, show: bool = False, patience: float = PATIENCE) -> str:
    """Run a command by the shell and wait for it, at most `patience` seconds. Returns what went wrong; empty: nothing.

    With `show` its output goes to stderr. It has a session of its own, so that a closed window does not end it.
    """
    try:
        with TemporaryFile() as errors:
            process = subprocess.Popen(
                command,
                shell=True,
                stdin=subprocess.DEVNULL,
                stdout=STDERR if show else subprocess.DEVNULL,
                stderr=STDERR if show else errors,
                env={**os.environ, **variables(file, run)},
                start_new_session=True,
            )
            try:
                status = process.wait(patience)
            except subprocess.TimeoutExpired:
                return f"--on-done still runs after {patience:g} s and is left alone, as process {process.pid}"
            errors.seek(0)
            *_, last = [b"", *errors.read(1 << 16).splitlines()]
    except (OSError, ValueError) as error:
        return f"--on-done could not be run: {error}"
    if not status:
        return ""
    how = f"with status {status}" if status > 0 else f"by signal {-status}"
    return f"--on-done ended {how}{': ' if last else ''}{printable(last.decode(errors='replace'))}"


class OnDone:
    """Runs a command when the job that is followed has ended: a context around following it.

    with OnDone(command, file) as on_done:
        for entry in entries: on_done.read(entry)
    """

    def __init__(self, command: str, file: Path):
        self._command, self._file = command, file
        self._history = History()
        self._ended: Run | None = None

    def read(self, entry: Entry) -> None:
        """Take in an entry of the job."""
        self._ended = ended_by(self._history, entry) or self._ended
        self._history.read(entry)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        running = self._history.running
        if isinstance(error, WorkError) and running:  # its process is gone
            self._ended = replace(running, outcome="died", message=str(error))
        if not self._command or self._ended is None:
            return
        try:
            problem = run_command(self._command, self._file, self._ended, show=True)
        except KeyboardInterrupt:
            problem = "--on-done was not waited for"
        if problem:
            complain(problem)
