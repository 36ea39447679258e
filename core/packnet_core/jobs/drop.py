"""Dropping the newest task, and undoing that: the file as it was before is kept beside it (see `packfile/former`)."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from packnet_core.errors import DiskError, FileError, RequestError, WorkError
from packnet_core.jobs.session import Session
from packnet_core.packfile import former, storage
from packnet_core.packfile.stored import read
from packnet_core.schema.commands import Drop, Undo, summary
from packnet_core.schema.events import Checked, Event, Note, Undone


def drop_newest(session: Session, command: Drop) -> Iterator[Event]:
    """Remove the newest task: its weights become free, and the file is saved. The former file is kept.

    Raises RequestError, before anything changes, if that can't be kept and the command does not say yes to it.
    """
    kept = None
    try:
        kept = former.keep(session.paths, session.saved)
    except DiskError as error:
        if not command.yes:
            raise RequestError(
                f"nothing was dropped: the former file, which undo needs, can't be kept ({error}); to drop for good: "
                f"packnet drop {session.path} {command.task} --yes"
            ) from None
        yield Note(text=f"this drop can't be undone: the former file can't be kept ({error})", level="warning")
    try:
        session.network.drop_newest()
        session.document = replace(session.document, tasks=session.document.tasks[:-1])
        occupancy = session.count()
        yield from session.save(summary(command), command.task, drop=True, former=kept)
    except BaseException:
        if kept and session.changed:  # nothing was dropped
            _remove(kept)
        raise
    yield occupancy


def _remove(path: Path) -> None:
    with suppress(OSError):  # the next job that changes the file removes it
        path.unlink()


def undo_drop(session: Session, command: Undo) -> Iterator[Event]:
    """Replace the file by the former one, once its digests are checked. Yields them, and Undone.

    Raises RequestError if there is no such file, FileError if it is damaged, WorkError if something else changed the
    pack file meanwhile. The file is then as it was.
    """
    found = former.find(session.paths, session.saved)
    if found is None:
        raise RequestError(
            f"the former file of {session.path.name} is gone, or the file changed since the drop, so it can't be undone"
        )
    session.network = storage.network_of(read(found.path), session.path, session.device)
    session.document, session.changed = found.document, True
    for name, ok in session.digests(session.network.tasks):
        yield Checked(task=name, ok=ok)
        if not ok:
            raise FileError(f"{found.path}: what task {name!r} uses does not fit its digest, so nothing was undone")
    if session.is_foreign():
        raise WorkError(f"{session.path} was changed by something else meanwhile, and was left as it is now")
    written = former.bring_back(session.paths, found)
    session.is_in_file(found.document)
    if written.doubt:
        yield Note(text=written.doubt, level="warning")
    yield Undone(task=found.task, bytes=written.bytes)
