"""ASCII alone: a filter over all that is drawn, whoever draws it."""

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from packnet_tui.state.marks import TO_ASCII


class AsciiFilter(LineFilter):
    """Every sign by the ASCII one that stands for it."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(text.translate(TO_ASCII), style, control) for text, style, control in segments]
