"""Joins screenshots of a terminal, as Rich writes them (SVG), into one moving SVG. Needs nothing but text.

A row of the screen that stays the same is stored once, with the times at which it is shown.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby

ROW, TOP = 24.4, 1.5  # a row's height and the first one's top, in Rich's units
STYLE = re.compile(r"\.terminal-\d+-(r\d+) \{ (.*?) ?\}")
RECT = re.compile(r'<rect fill="(#\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" [^>]*crispEdges"/>')
TEXT = re.compile(r'<text class="terminal-\d+-(r\d+)" x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)"[^>]*>([^<]*)<')
SIZE = re.compile(r'clip-terminal">\s*<rect x="0" y="0" width="([\d.]+)" height="([\d.]+)"')


def moving(frames: Sequence[tuple[float, str]], seconds: float) -> str:
    """One SVG that shows screenshots of one size, each from its time in seconds on, and begins anew after `seconds`.

    The first one is shown from 0 on.
    """
    styles: dict[str, str] = {}  # of text, and their short names
    shown: dict[int, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    ends = [*(at for at, _ in frames[1:]), seconds]
    for (at, svg), end in zip(frames, ends, strict=True):
        for row, content in enumerate(_rows(svg, styles)):
            times = shown[row][content]
            if times and times[-1][1] == at:
                times[-1] = times[-1][0], end
            else:
                times.append((at, end))
    (size,) = SIZE.findall(frames[0][1])
    width, height = map(float, size)
    rows = "\n".join(
        f'<g transform="translate(0 {at * ROW:g})">'
        + "\n".join(_row(content, times, seconds) for content, times in row.items() if content)
        + "</g>"
        for at, row in sorted(shown.items())
    )
    looks = "".join(f".{name}{{{style}}}" for style, name in styles.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 {width:g} {height:g}">\n'
        f"<style>text{{font:20px 'Fira Code',Menlo,Consolas,monospace}}{looks}</style>\n"
        f'<rect fill="{_backgrounds(frames[0][1])[0]}" width="{width:g}" height="{height:g}"/>\n{rows}\n</svg>\n'
    )


def _backgrounds(svg: str) -> list[str]:
    """The colours behind the text, that of the largest area first."""
    area: dict[str, float] = defaultdict(float)
    for colour, _, _, width in RECT.findall(svg):
        area[colour] += float(width)
    return sorted(area, key=lambda colour: -area[colour])


def _rows(svg: str, styles: dict[str, str]) -> list[str]:
    """The rows of a screenshot as SVG. New styles are added to `styles`."""
    named = dict(STYLE.findall(svg))
    most = _backgrounds(svg)[0]
    rows: dict[int, list[str]] = defaultdict(list)
    for (colour, y), group in groupby(RECT.findall(svg), key=lambda rect: (rect[0], rect[2])):
        beside = list(group)
        if colour != most:
            style = styles.setdefault(f"fill: {colour}", f"s{len(styles)}")
            x, width = beside[0][1], f"{sum(float(rect[3]) for rect in beside):g}"
            row = rows[round((float(y) - TOP) / ROW)]
            row.append(f'<path class="{style}" d="M{x} {TOP}h{width}v{ROW}h-{width}"/>')
    for name, x, y, length, text in TEXT.findall(svg):
        text = text.replace("&#160;", "\u00a0")
        if text.strip():
            style = styles.setdefault(named[name], f"s{len(styles)}")
            row = rows[int(float(y) // ROW)]
            size = f' textLength="{length}"' if len(text) > 1 else ""
            row.append(f'<text class="{style}" x="{x}" y="20"{size}>{text}</text>')
    return ["".join(rows[row]) for row in range(max(rows) + 1)]


def _row(content: str, times: Sequence[tuple[float, float]], seconds: float) -> str:
    """A row that is visible at some times."""
    if times == [(0, seconds)]:
        return f"<g>{content}</g>"
    keys, values = ["0"], ["visible" if times[0][0] == 0 else "hidden"]
    for at in sorted({at for pair in times for at in pair} - {0.0, seconds}):
        keys.append(f"{at / seconds:.4f}")
        values.append("visible" if any(begin <= at < end for begin, end in times) else "hidden")
    still = "visible" if times[-1][1] == seconds else "hidden"  # a viewer that can't move shows the last screenshot
    return (
        f'<g visibility="{still}">{content}<animate attributeName="visibility" calcMode="discrete" dur="{seconds:g}s" '
        f'repeatCount="indefinite" keyTimes="{";".join(keys)}" values="{";".join(values)}"/></g>'
    )
