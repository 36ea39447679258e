"""Values out of what was typed into fields; errors begin with the label of their field."""

import math

from packnet_core.errors import RequestError


class Wrong(RequestError):
    """A field holds what makes no sense there."""

    def __init__(self, label: str, problem: str):
        super().__init__(f"{label}: {problem}")
        self.label = label


def whole(label: str, text: str, least: int, most: int | None = None) -> int:
    """A whole number in a range."""
    try:
        value = int(text)
    except ValueError:
        raise Wrong(label, f"{text or 'nothing'!r} is not a whole number") from None
    if value < least:
        raise Wrong(label, f"it is {least} at least, and {value} is less")
    if most is not None and value > most:
        raise Wrong(label, f"it is {most:,} at most, and {value:,} is more")
    return value


def number(label: str, text: str) -> float:
    """A number."""
    try:
        return float(text)
    except ValueError:
        raise Wrong(label, f"{text or 'nothing'!r} is not a number") from None


def rate(label: str, text: str) -> float:
    """A number above 0."""
    value = number(label, text)
    if not 0 < value < math.inf:
        raise Wrong(label, f"{value:g} is not above 0")
    return value


def not_negative(label: str, text: str) -> float:
    value = number(label, text)
    if not 0 <= value < math.inf:
        raise Wrong(label, f"{value:g} is not 0 or a number above it")
    return value


def below_one(label: str, text: str) -> float:
    value = number(label, text)
    if not 0 <= value < 1:
        raise Wrong(label, f"{value:g} is not from 0 to below 1")
    return value


def ratio(label: str, text: str) -> float:
    """A share, 0 to 1."""
    value = number(label, text)
    if not 0 <= value <= 1:
        raise Wrong(label, f"a share from 0 to 1, and {value:g} is not; 0.5 frees half of the weights")
    return value
