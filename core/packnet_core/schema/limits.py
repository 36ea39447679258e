"""Ranges of values that documents and commands share. Needs no torch."""

from typing import Annotated

from msgspec import Meta

LARGEST_SEED = 2**32 - 1

Positive = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
