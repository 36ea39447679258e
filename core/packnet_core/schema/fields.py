"""The fields of a struct, described where they are declared: their types, limits and help as values.

class Recipe(Struct):
    lr: Annotated[float, Meta(gt=0), about("learning rate", "Learning rate.", "§4")] = 1e-3

described(Recipe)["lr"].limits    # "above 0"
"""

import operator
from math import isfinite
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from packnet_core.schema.limits import MOST

BOUNDS = ("gt", "ge", "lt", "le")  # as `Meta` and `operator` call them


def about(label: str, help: str, paper: str = "", **more: str) -> Meta:
    """The description of a field: its label in forms, its help, and the section of the paper that gives it, if any.

    `more` is `unset`, the meaning of None, and `metavar` and `flags`, if the option's are not the usual ones.
    """
    return Meta(description=help, extra={"label": label, "paper": paper, **more})


class Field(Struct, frozen=True, kw_only=True):
    """A described field. Its values are of `type`, or None if `optional`."""

    name: str
    type: Any  # bool, int, float or str
    default: Any
    optional: bool
    choices: tuple[str, ...]  # of a str
    bounds: dict[str, float]  # of a number: gt, ge, lt, le
    help: str
    label: str
    paper: str = ""
    unset: str = ""
    metavar: str = ""
    flags: str = ""

    @property
    def option(self) -> str:
        """Its option on the command line, such as "--batch-size"."""
        return self.flags or "--" + self.name.replace("_", "-")

    @property
    def limits(self) -> str:
        """Its limits in words, such as "above 0" or "sgd or adamw"."""
        match self.bounds:
            case {"gt": low}:
                return f"above {low}"
            case {"ge": low, "lt": high}:
                return f"from {low} to below {high}"
            case {"ge": low, "le": high} if high < MOST:
                return f"from {low} to {high:,}"
            case {"ge": low}:
                return f"at least {low}"
        *first, last = self.choices or ("on", "off")
        return f"{', '.join(first)} or {last}"

    def problem(self, value: Any) -> str:
        """What is wrong with a value, such as "0 is not above 0"; empty if it is within the limits."""
        if isinstance(value, str):
            return "" if value in self.choices else f"{value!r} is not {self.limits}"
        if isfinite(value) and all(getattr(operator, key)(value, bound) for key, bound in self.bounds.items()):
            return ""
        wrong = "too large" if value > MOST == self.bounds.get("le") else f"not {self.limits}"
        return f"{value:{',' if isinstance(value, int) else 'g'}} is {wrong}"


def shown(value: Any) -> str:
    """A value as the user types it; empty for None."""
    match value:
        case None:
            return ""
        case bool():
            return "on" if value else "off"
        case float():
            return f"{value:g}"
        case tuple():
            return " ".join(value)
        case _:
            return str(value)


def described(struct: type[Struct]) -> dict[str, Field]:
    """The fields of a struct by name, in its order; all of them must have an `about`."""
    return {info.name: _field(info.name, info.type, info.default) for info in msgspec.structs.fields(struct)}


def _field(name: str, annotation: Any, default: Any) -> Field:
    metas: list[Meta] = []  # of nested Annotated and optional types
    while get_origin(annotation) is Annotated or NoneType in get_args(annotation):
        annotation, *more = get_args(annotation)
        metas += [meta for meta in more if isinstance(meta, Meta)]
    choices = get_args(annotation)
    said = next(meta for meta in metas if meta.extra)
    return Field(
        name=name,
        type=str if choices else annotation,
        default=default,
        optional=default is None,
        choices=choices,
        bounds={key: bound for meta in metas for key in BOUNDS if (bound := getattr(meta, key)) is not None},
        help=said.description or "",
        **(said.extra or {}),
    )
