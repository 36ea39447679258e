"""The errors that reach a user. Each message is one line that says what is wrong and what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from unicodedata import category


class PacknetError(Exception):
    """An error that is reported in one line, without a traceback. `status` is the exit status."""

    status = 1

    def __str__(self) -> str:
        """The message as one line: names of files may have line breaks and other control characters."""
        text = super().__str__()
        if text.isprintable():
            return text
        control = ("Cc", "Cs", "Zl", "Zp")
        return "".join(c.encode("unicode_escape").decode() if category(c) in control else c for c in text)


class RequestError(PacknetError):
    """The request can't be done as asked: a wrong option, unusable data, a command out of order."""

    status = 2


class FileError(RequestError):
    """The file is not a pack file, is damaged, or comes from a newer version."""


class ReadError(FileError):
    """The disk refused to read a file, which may be whole."""


class WorkError(PacknetError):
    """The request was allowed, but the work failed."""

    status = 1


class DiskError(WorkError):
    """The disk refused to take a file: it is full, a quota is used up, or it can't be written to."""


class NotSaved(WorkError):
    """A result was not saved, because the file would not have been right. The file is as it was."""


class Stopped(Exception):
    """The work was asked to stop, and did so between two images or batches. A job ends as stopped then, not failed."""


class Diverged(WorkError):
    """A loss or a weight became NaN or infinite. The results of that phase are discarded."""


@contextmanager
def disk_errors() -> Iterator[None]:
    """A context, or a decorator, in which an OSError becomes a DiskError of one line: which file, and why."""
    try:
        yield
    except OSError as error:
        raise DiskError(what_was_refused(error)) from None


def what_was_refused(error: OSError) -> str:
    """One line on an error of the system: the file, if it names one, and the reason."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"
