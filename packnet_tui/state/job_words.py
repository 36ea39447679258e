"""What a drop and giving up an interrupted job would do, in sentences: for questions of command line and screen."""

from pathlib import Path

from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.schema.document import Document
from packnet_tui.state.event_lines import DOING
from packnet_tui.state.format import NAME, cut_middle, file_size, short_summary


def where(stopped: Checkpoint) -> str:
    """Where a job was interrupted: `training, epoch 3 of 8`."""
    if not stopped.run:
        return "before pruning" if stopped.step == 0 else f"before {DOING[stopped.phase]}"
    of = f" of {stopped.epochs}" if stopped.epochs else ""
    return f"{DOING[stopped.phase]}, epoch {stopped.epoch}{of}"


def discarding(stopped: Checkpoint, document: Document) -> tuple[str, str]:
    """The question whether to give up an interrupted job, and what that does. `document` is the file's."""
    text = f"It was interrupted ({where(stopped)}). Its checkpoint is removed, so that it can't be resumed. "
    if stopped.adds_to(document):
        return (
            f"Give up the unfinished task {cut_middle(stopped.task, NAME)}?",
            f"{text}The file stays as it is: no other task changes.",
        )
    phase = document.tasks[-1].phase if document.tasks else "trained"
    return (
        f"Give up the interrupted job ({short_summary(stopped.command)})?",
        f"{text}{cut_middle(stopped.task, NAME)} stays as it was last saved: {phase}.",
    )


def dropping(task: str, document: Document, stopped: Checkpoint | None, size: int | None, undo: str) -> tuple[str, str]:
    """The question whether to drop a task, and what that does.

    `size` is the file's, in bytes (None: not known); `undo` is the key or command that undoes it.
    """
    owned = document.owned[document.index(task) - 1] if document.tasks else 0
    text = f"Its {owned:,} weights become free, its head is removed. "
    if stopped:
        text += f"Its interrupted job ({short_summary(stopped.command)}) is given up. "
    former = f"The former file{'' if size is None else f' ({file_size(size)})'}"
    return (
        f"Drop {cut_middle(task, NAME)}?",
        f"{text}{former} is kept until the next job that changes the file; {undo} brings it back.",
    )


def file_bytes(path: Path) -> int | None:
    """The size of a file; None where it is not known. It waits for the disk."""
    try:
        return path.stat().st_size
    except OSError:
        return None
