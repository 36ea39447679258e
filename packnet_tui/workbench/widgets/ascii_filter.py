"""A filter over all that is drawn, for terminals that show only ASCII."""

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from packnet_tui.state.marks import TO_ASCII


class AsciiFilter(LineFilter):
    """Replaces every sign by its ASCII character."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(text.translate(TO_ASCII), style, control) for text, style, control in segments]
