"""Ranges of values that documents and commands share. Needs no torch."""

from typing import Annotated

from msgspec import Meta

LARGEST_SEED = 2**32 - 1
LARGEST_SIDE = 8192  # pixels of an image
MOST_CHANNELS = 1024
MOST_PATTERNS = 1000  # by which a task names its layers
MOST_LAYERS = 10_000

Positive = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Side = Annotated[int, Meta(ge=1, le=LARGEST_SIDE)]
Channels = Annotated[int, Meta(ge=1, le=MOST_CHANNELS)]
Share = Annotated[float, Meta(ge=0, le=1)]
