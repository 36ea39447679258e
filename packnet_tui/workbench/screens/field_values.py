"""Values from the texts of form fields. An error begins with the label of its field."""

from typing import Any

from packnet_core.errors import RequestError
from packnet_core.schema.fields import Field

SWITCH = {"on": True, "yes": True, "y": True, "off": False, "no": False, "n": False}


class Wrong(RequestError):
    """The text of a field is wrong."""

    def __init__(self, label: str, problem: str):
        super().__init__(f"{label}: {problem}")
        self.label = label


def value_of(field: Field, text: str) -> Any:
    """The value of a recipe's field. Raises Wrong if it is outside of the field's limits."""
    if field.optional and not text:
        return None
    if field.type is bool:
        return switch(field.label, text)
    value: Any = text.lower()
    if field.type is not str:
        value = whole(field.label, text) if field.type is int else number(field.label, text)
    if problem := field.problem(value):
        raise Wrong(field.label, problem)
    return value


def whole(label: str, text: str, least: int | None = None) -> int:
    """A whole number. Raises Wrong for other texts, and below `least`."""
    try:
        value = int(text)
    except ValueError:
        raise _not(label, text, "a whole number") from None
    if least is not None and value < least:
        raise Wrong(label, f"{value:,} is not at least {least}")
    return value


def number(label: str, text: str) -> float:
    """A number. Raises Wrong for other texts."""
    try:
        return float(text)
    except ValueError:
        raise _not(label, text, "a number") from None


def ratio(label: str, text: str) -> float:
    """A share, 0 to 1. Raises Wrong for other texts."""
    value = number(label, text)
    if not 0 <= value <= 1:
        raise Wrong(label, f"a share from 0 to 1, and {value:g} is not; 0.5 frees half of the weights")
    return value


def switch(label: str, text: str) -> bool:
    """On or off, or yes or no. Raises Wrong for other texts."""
    if text.lower() not in SWITCH:
        raise _not(label, text, "on or off")
    return SWITCH[text.lower()]


def _not(label: str, text: str, wanted: str) -> Wrong:
    return Wrong(label, f"{text!r} is not {wanted}" if text else f"give {wanted}")
