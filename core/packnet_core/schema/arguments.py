"""Arguments of the Python API: values of any type become those that a function's annotations name, or are refused."""

import inspect
import os
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar, Union, get_args, get_origin

from packnet_core.errors import RequestError
from packnet_core.schema.plain import converted
from packnet_core.schema.text import printable

LONGEST_NAME, LONGEST_PATH = 255, 4095  # bytes, on Linux
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
        found = converted(value, type)
    except TypeError as error:
        raise RequestError(f"{name}: {str(error).replace(' - at $', ' at ')}") from None
    if is_path and isinstance(found, str):
        check_path(found)
    return found


def check_path(path: str) -> None:
    """Raise RequestError for a path that no file can have: a null character, a surrogate, or more bytes than fit."""
    try:
        names = os.fsencode(path).split(b"/")
    except UnicodeEncodeError:
        names = [b"\0"]
    if any(b"\0" in name for name in names):
        raise RequestError(f"{printable(path)!r} can't be a path: it has characters that no file's name has")
    if max(map(len, names)) > LONGEST_NAME or sum(map(len, names)) + len(names) > LONGEST_PATH:
        raise RequestError(f"{path[:40]!r}… is too long for a path")


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
        key, value = (_plain_type(each)[0] for each in inner)
        return (Any if value is Any else dict[key, value]), False  # type: ignore[valid-type]
    if origin is Annotated:
        return annotation, False
    if origin in (Iterable, Sequence):
        several: Any = list[_plain_type(inner[0])[0]]  # type: ignore[misc]
        return (several | str if inner == (str,) else several), False
    known = annotation in (str, int, float, bool, None, types.NoneType)
    return (annotation if known else Any), False
