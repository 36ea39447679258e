"""Numbers as text, for a sentence or a narrow column, and texts cut to a width."""

import time
from collections.abc import Sequence

from msgspec.structs import replace
from rich.cells import cell_len, set_cell_size

from packnet_core.schema.commands import Add, Command, Compare, Drop, Evaluate, summary
from packnet_core.schema.document import Error

MISSING = "–"
NAME = 24  # cells of a task's name within a sentence
LONGEST = 1e10  # seconds of a time span: three hundred years


def short(count: int) -> str:
    """A count in four characters or less: 864, 2k, 74k, 103M, 1.2G."""
    value, unit = _scaled(count)
    return f"{value:.1f}{unit}" if value < 9.95 and unit not in ("", "k") else f"{value:.0f}{unit}"


def long(count: int) -> str:
    """A count with three significant digits: 864, 73.4k, 73.4M."""
    value, unit = _scaled(count)
    if not unit:
        return str(count)
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}{unit}"


def _scaled(count: int) -> tuple[float, str]:
    """A count as a number below 1000 and its unit."""
    value, unit = float(count), ""
    for unit in ("", "k", "M", "G", "T"):
        if value < 999.5 or unit == "T":
            break
        value /= 1000
    return value, unit


def percent(count: int, of: int) -> str:
    """A share in percent with one decimal and the sign: 16.7%."""
    return f"{share(count, of)}%"


def share(count: int, of: int) -> str:
    """A share in percent with one decimal. 0.0 means none and 100.0 means all; between them are <0.1 and >99.9."""
    value = 100 * count / of if of else 0.0
    if count and value < 0.05:
        return "<0.1"
    if count < of and value >= 99.95:
        return ">99.9"
    return f"{value:.1f}"


def file_size(size: float) -> str:
    """Bytes in decimal units: 571.0 MB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"


def duration(seconds: float) -> str:
    """A time span in words: 3.2 s, 2 min 05 s, 1 h 02 min; – for one that is no time."""
    if not abs(seconds) < LONGEST:
        return MISSING
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def two_digits(value: float | None) -> str:
    """An error in percent, or a ratio, with two decimals; – for None."""
    return MISSING if value is None else f"{value:.2f}"


def top1(error: Error, of: int | None = None) -> str:
    """A test error in percent; with ≈ if it was measured on some images of a set only, which has `of`."""
    return f"{error.top1:.2f} %" if of is None else f"≈ {error.top1:.2f} %"


def images(count: int, of: int | None = None) -> str:
    """A number of images in words: 1 image, 5,794 images, 500 of 5,794 images."""
    if of is not None:
        return f"{count:,} of {of:,} images"
    return f"{count:,} image{'' if count == 1 else 's'}"


def drift(change: float) -> str:
    """A change of an error in points; "0.00" only if nothing changed."""
    if change == 0:
        return "0.00"
    return f"{change:+.2f}" if abs(change) >= 0.005 else f"{change:+.1g}"


def whole_percent(value: float | None) -> str:
    """A share in percent without decimals; – for None."""
    return MISSING if value is None else f"{value:.0f} %"


def moment(at: float, pattern: str, utc: bool = False) -> str:
    """A time in seconds since 1970 by a pattern of `time.strftime`, here or in UTC; – for one that no calendar has."""
    try:
        return time.strftime(pattern, time.gmtime(at) if utc else time.localtime(at))
    except (ValueError, OverflowError, OSError):
        return MISSING


def clock(seconds: float) -> str:
    """A time span as on a clock: 02:10, 1:02:10; – for one that is no time."""
    if not abs(seconds) < LONGEST:
        return MISSING
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def cut(text: str, width: int) -> str:
    """A text in at most `width` cells; … replaces the end of a longer one."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 0 else ""


def cut_after_word(text: str, width: int) -> str:
    """A text in at most `width` cells; … replaces the last words of a longer one.

    cut_after_word("a GPU, if any", 9)    # "a GPU …"
    """
    if cell_len(text) <= width:
        return text
    whole = set_cell_size(text, max(0, width - 1))  # up to where " …" must begin
    words = whole.rpartition(" ")[0]
    if words.count("(") > words.count(")"):
        words = words.rpartition("(")[0]
    words = words.rstrip(" ,")
    return f"{words} …" if words else cut(text, width)


def cut_middle(text: str, width: int) -> str:
    """A text in at most `width` cells; … replaces the middle of a longer one: names differ at both ends.

    It shortens all names of tasks, layers and files.

    cut_middle("a_rather_long_task_name_1", 16)    # "a_rathe…k_name_1"
    """
    if cell_len(text) <= width:
        return text
    if width < 4:
        return cut(text, width)
    tail = text[-(width // 2) :]
    while cell_len(tail) > width // 2:
        tail = tail[1:]
    return set_cell_size(text, width - 1 - cell_len(tail)).rstrip() + "…" + tail


def fitting(width: int, *variants: str) -> str:
    """The first of the texts that has at most `width` cells, else the last one, cut."""
    return next((text for text in variants if cell_len(text) <= width), cut(variants[-1], width))


def joined(parts: Sequence[str], width: int) -> list[str]:
    """Parts as lines of at most `width` cells, with · between those of a line; no part is broken."""
    lines: list[str] = []
    for part in parts:
        if lines and cell_len(f"{lines[-1]} · {part}") <= width:
            lines[-1] += f" · {part}"
        else:
            lines.append(part)
    return lines


def pad(text: str, width: int) -> str:
    """A text cut or filled to exactly `width` cells."""
    text = cut(text, width)
    return text + " " * (width - cell_len(text))


def pad_name(name: str, width: int) -> str:
    """A name of a task or layer, its middle cut or filled to exactly `width` cells."""
    return pad(cut_middle(name, width), width)


def short_summary(command: Command) -> str:
    """A command as one short line, with the names of its tasks cut in the middle."""
    match command:
        case Add() | Drop():
            command = replace(command, task=cut_middle(command.task, NAME))
        case Evaluate() | Compare():
            command = replace(command, tasks=tuple(cut_middle(task, NAME) for task in command.tasks))
    return summary(command)
