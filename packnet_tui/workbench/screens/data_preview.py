"""Data as it is seen while it is typed: looked at off the screen's thread, then said in a line or three."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packnet_core.schema.text import printable
from packnet_tui.cli.completion import completions
from packnet_tui.state.format import cut, cut_middle
from packnet_tui.workbench.screens.field_input import unquoted

if TYPE_CHECKING:
    from packnet_core.data.types import Summary  # numpy comes with it, and the screen opens without

PATH, NAME, NAMES, NEAR = 40, 14, 3, 4  # cells of a path and of a name; how many classes, how many files are named
KINDS = (
    "a folder with train/CLASS/ and test/CLASS/ or val/CLASS/, an .npz file, torchvision:NAME, sklearn:digits, or a "
    "folder behind cub200:, cars:, flowers102:, places365:, imagenet:"
)


@dataclass(frozen=True)
class DataPreview:
    """What one look at what is typed showed."""

    text: str
    summary: "Summary | None" = None  # None: nothing is typed
    near: tuple[str, ...] = ()  # what it may go on with
    missing: str = ""  # what is missing while it is not typed to its end: no alarm until Enter makes it one

    def problem(self, channels: int) -> str | None:
        """What is wrong with it for a network of so many channels."""
        if self.summary is None or self.summary.problem:
            return self.summary.problem if self.summary else None
        have = _channels(self.summary.images)
        if have in (None, 1, channels):
            return None
        takes = "grey ones alone" if channels == 1 else f"{channels}, or grey ones"
        return f"its images have {have} channels; the network takes {takes}"


def preview_data(text: str) -> DataPreview:
    """Look at data that is being typed. Never raises: a strange file must not take the screen down."""
    from packnet_core.data.kinds import resolve
    from packnet_core.data.open import summarise
    from packnet_core.data.types import Summary

    near = tuple(completions(text))
    data = unquoted(text)
    if not data:
        return DataPreview(text, near=near)
    try:
        summary = summarise(data)
    except Exception as error:
        summary = Summary(source=data, problem=f"it can't be looked at: {error}")
    path = resolve(data)
    missing = ""
    if os.path.isdir(path):
        missing = "" if os.path.isdir(os.path.join(path, "train")) else "a folder without a folder train in it"
    elif summary.problem and not os.path.exists(path) and (near or not re.match(r"[a-z0-9]+:", data)):
        missing = "no such data yet" if re.match(r"[a-z0-9]+:", data) else "no such file yet"
    return DataPreview(text, summary, near, missing)


def in_words(preview: DataPreview, channels: int) -> tuple[str, str]:
    """A sight in a few words: what is wrong, if anything, and what was seen or is missing yet."""
    seen = preview.summary
    if seen is None:
        return "", KINDS
    if preview.missing:
        return "", preview.missing + (f"; there is {_near(preview)}" if preview.near else "")
    problem = preview.problem(channels) or ""
    lines = []
    if seen.classes:
        lines.append(f"{len(seen.classes)} classes: {_listed(seen.classes, NAMES)}")
    if seen.train and seen.test:
        lines.append(f"train {_counts(seen.train)} a class, {sum(seen.train):,} images; "
                     f"test {_counts(seen.test)}, {sum(seen.test):,} images")  # fmt: skip
    if seen.images:
        crops = ", random crops" if seen.crop else ""
        lines.append(f"{seen.images}, flips {'on' if seen.flip else 'off'}{crops}")
    if seen.extent:
        lines.append(seen.extent)
    if not seen.classes and not problem:
        lines.append("its classes are known once it is downloaded")
    return printable(problem).replace(seen.source, cut_middle(seen.source, PATH)), "\n".join(lines)


def _near(preview: DataPreview) -> str:
    """Names that what is typed may go on with, without the folder they share."""
    begin = max(preview.text.rfind("/"), preview.text.rfind(":")) + 1
    return _listed([name[begin:] for name in preview.near], NEAR)


def _listed(names: Sequence[str], most: int) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(cut(printable(name), NAME) for name in names[:most]) + more


def _counts(counts: Sequence[int]) -> str:
    least, most = min(counts), max(counts)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _channels(images: str) -> int | None:
    """How many channels images have, out of the words for them."""
    *_, colour = images.split() or [""]
    if found := re.search(r"(\d+) channels$", images):
        return int(found[1])
    return {"grey": 1, "colour": 3}.get(colour)
