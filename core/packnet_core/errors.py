"""The errors that reach a user. Each message is one line that says what is wrong and what to do."""


class PacknetError(Exception):
    """Anything this product reports in one line instead of a traceback. `status` is the exit status."""

    status = 1


class RequestError(PacknetError):
    """What was asked for can't be done as asked: a bad option, unusable data, a step out of order."""

    status = 2


class FileError(RequestError):
    """The file is not a pack file, or is damaged, or comes from a newer version."""


class WorkError(PacknetError):
    """The work was right to ask for, and failed."""

    status = 1


class Diverged(WorkError):
    """A loss or a weight became NaN or infinite. Nothing of that phase is kept."""
