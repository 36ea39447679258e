"""A preview of data while it is typed: read in another thread, then described in up to three lines."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packnet_core.data.kinds import KINDS, resolve
from packnet_core.schema.text import printable
from packnet_tui.cli.completion import completions
from packnet_tui.state.format import cut, cut_middle
from packnet_tui.workbench.screens.field_input import unquoted

if TYPE_CHECKING:
    from packnet_core.data.types import Summary  # numpy comes with it, and the screen opens without

PATH, NAME, NAMES, NEAR = 40, 14, 3, 4  # cells of a path and of a name; at most N classes and N files are named


@dataclass(frozen=True)
class DataPreview:
    """What is known about data that is being typed."""

    text: str
    summary: "Summary | None" = None  # None: nothing is typed
    near: tuple[str, ...] = ()  # completions of the text
    missing: str = ""  # what is missing while it is half typed; an error only after Enter

    def problem(self, channels: int) -> str | None:
        """The first problem for a network with this number of channels, if any."""
        if self.summary is None or self.summary.problem:
            return self.summary.problem if self.summary else None
        have = _channels(self.summary.images)
        if have in (None, 1, channels):
            return None
        takes = "only grey ones" if channels == 1 else f"{channels}, or grey ones"
        return f"its images have {have} channels; the network takes {takes}"


def preview_data(text: str) -> DataPreview:
    """Read data that is being typed. Never raises: a strange file must not end the screen."""
    from packnet_core.data.open import summarise
    from packnet_core.data.types import Summary

    near = tuple(completions(text))
    data = unquoted(text)
    if not data:
        return DataPreview(text, near=near)
    try:
        path = resolve(data)
        summary = summarise(data)
    except Exception as error:
        return DataPreview(text, Summary(source=data, problem=f"it can't be read: {error}"), near)
    missing = ""
    if os.path.isdir(path):
        missing = "" if os.path.isdir(os.path.join(path, "train")) else "a folder that has no folder train"
    elif summary.problem and not os.path.exists(path) and (near or not re.match(r"[a-z0-9]+:", data)):
        missing = "no such data yet" if re.match(r"[a-z0-9]+:", data) else "no such file yet"
    return DataPreview(text, summary, near, missing)


def preview_in_words(preview: DataPreview, channels: int) -> tuple[str, str]:
    """A preview in a few words: the problem, if any, and what was found or is still missing."""
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
        lines.append(f"train {_counts(seen.train)} per class, {sum(seen.train):,} images; "
                     f"test {_counts(seen.test)}, {sum(seen.test):,} images")  # fmt: skip
    if seen.images:
        crops = ", random crops" if seen.crop else ""
        lines.append(f"{seen.images}, flips {'on' if seen.flip else 'off'}{crops}")
    if seen.extent:
        lines.append(seen.extent)
    if seen.left_out:
        lines.append(printable(seen.left_out))
    if not seen.classes and not problem:
        lines.append("its classes are known once it is downloaded")
    return printable(problem).replace(seen.source, cut_middle(seen.source, PATH)), "\n".join(lines)


def _near(preview: DataPreview) -> str:
    """Completions of the text, without the folder they share."""
    begin = max(preview.text.rfind("/"), preview.text.rfind(":")) + 1
    return _listed([name[begin:] for name in preview.near], NEAR)


def _listed(names: Sequence[str], most: int) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(cut(name, NAME) for name in names[:most]) + more


def _counts(counts: Sequence[int]) -> str:
    least, most = min(counts), max(counts)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _channels(images: str) -> int | None:
    """The number of channels in a description of images, such as `8×8 colour`."""
    *_, colour = images.split() or [""]
    if found := re.search(r"(\d+) channels$", images):
        return int(found[1])
    return {"grey": 1, "colour": 3}.get(colour)
