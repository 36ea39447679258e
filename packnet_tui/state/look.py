"""How this user likes the screen: theme and layout, kept between sessions."""

from contextlib import suppress
from typing import Literal, get_args

from msgspec import Struct

from packnet_core.schema.text import UNREADABLE, from_json, to_json
from packnet_tui.state.kept import keep, kept

FILE = "look.json"
LayerOrder = Literal["depth", "size", "free"]  # as in the network, the largest first, the freest first
LAYER_ORDERS: tuple[LayerOrder, ...] = get_args(LayerOrder)
Charts = Literal["both", "loss", "error"]  # of pane 3
CHARTS: tuple[Charts, ...] = get_args(Charts)


class Look(Struct, frozen=True, kw_only=True):
    """The theme, the pane that is shown alone, and how panes 1 and 3 show what they show."""

    theme: str = ""  # empty: Textual's own
    zoomed: int = 0  # the number of a pane; 0: all are shown
    order: LayerOrder = "depth"
    charts: Charts = "both"
    log_scale: bool = False
    smooth: bool = False
    follow: bool = True


def read_look() -> Look:
    """The look that was kept last; the usual one if there is none, or it can't be read."""
    with suppress(*UNREADABLE):
        return from_json(kept(FILE), Look)
    return Look()


def keep_look(look: Look) -> None:
    """Keep a look for the next session."""
    keep(FILE, to_json(look))
