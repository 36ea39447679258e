"""Arguments of the Python API: values of any type become those that a function's annotations name, or are refused."""

import inspect
import os
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, Union, get_args, get_origin

import msgspec

from packnet_core.errors import RequestError
from packnet_core.schema.plain import plain

P = ParamSpec("P")
R = TypeVar("R")


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """A function whose arguments are converted to the types of its annotations, as by `argument`, before it is called.

    Left alone are those whose annotation is Any, a string (a name that is imported only for type checkers) or a
    callable, and `**` arguments.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        given = signature.bind(*args, **kwargs)
        for name, value in given.arguments.items():
            parameter = signature.parameters[name]
            if parameter.kind is parameter.VAR_POSITIONAL:
                given.arguments[name] = tuple(argument(name, each, parameter.annotation) for each in value)
            elif parameter.kind is not parameter.VAR_KEYWORD and name != "self":
                given.arguments[name] = argument(name, value, parameter.annotation)
        return function(*given.args, **given.kwargs)

    return call


def argument(name: str, value: Any, annotation: Any) -> Any:
    """The argument of that name as its annotation has it; paths as str, several values as a list.

    Raises RequestError, naming the argument, for a value that can't be converted, or a path that no file can have.
    """
    type, is_path = _plain_type(annotation)
    if type is Any:
        return value
    try:
        found = msgspec.convert(plain(value), type)
        if is_path and isinstance(found, str):
            os.fsencode(found)
            if "\0" in found:
                raise TypeError("a path has no null character")
    except (msgspec.ValidationError, TypeError, UnicodeEncodeError) as error:
        what = str(error).replace("`", "").replace(" - at $", " at ")
        raise RequestError(f"{name}: {what[:1].lower()}{what[1:]}") from None
    return found


@cache
def _plain_type(annotation: Any) -> tuple[Any, bool]:
    """The type that plain values are converted to, and whether it is that of a path."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        found = [_plain_type(each) for each in inner]
        whole = Any if any(type is Any for type, _ in found) else Union[tuple(type for type, _ in found)]  # noqa: UP007
        return whole, any(is_path for _, is_path in found)
    if annotation is Path:
        return str, True
    if origin is Mapping:
        return dict[_plain_type(inner[0])[0], _plain_type(inner[1])[0]], False  # type: ignore[misc]
    if origin in (Iterable, Sequence):
        return str | list[_plain_type(inner[0])[0]], False  # type: ignore[misc]
    known = annotation in (str, int, float, bool, None, types.NoneType)
    return (annotation if known else Any), False
