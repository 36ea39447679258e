"""Ranges of values that documents and commands share. Needs no torch."""

from typing import Annotated

from msgspec import Meta

LARGEST_SEED = 2**32 - 1
LARGEST_SIDE = 8192  # pixels of an image
MOST_CHANNELS = 1024
MOST_PATTERNS = 1000  # by which a task names its layers
MOST_LAYERS = 10_000
MOST_EPOCHS = 1_000_000
LARGEST_BATCH = 1 << 20  # images of a step
MOST_IMAGES = 1 << 40  # of a data set
MOST_STEPS = 1000  # of a pruning, and trials of a search

MOST = 2**53  # of anything that is counted: JSON's numbers are exact up to there

Positive = Annotated[int, Meta(ge=1, le=MOST)]
Count = Annotated[int, Meta(ge=0, le=MOST)]
Side = Annotated[int, Meta(ge=1, le=LARGEST_SIDE)]
Channels = Annotated[int, Meta(ge=1, le=MOST_CHANNELS)]
Epochs = Annotated[int, Meta(ge=0, le=MOST_EPOCHS)]
BatchSize = Annotated[int, Meta(ge=1, le=LARGEST_BATCH)]
Limit = Annotated[int, Meta(ge=1, le=MOST_IMAGES)]
Repeats = Annotated[int, Meta(ge=1, le=MOST_STEPS)]
Share = Annotated[float, Meta(ge=0, le=1)]
