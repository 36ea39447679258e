"""Values of other libraries as plain ones, for arguments of a caller of the API."""

from collections.abc import Iterator
from itertools import islice
from pathlib import PurePath
from typing import Any

import msgspec

MOST_VALUES = 100_000  # of an iterator


def plain(value: Any) -> Any:
    """`value` as None, bool, int, float, str, list or dict, also from NumPy's scalars and arrays, paths and structs.

    Bytes stay bytes, so that no type of a command takes them. Raises TypeError for a value of any other type.
    """
    return msgspec.to_builtins(value, builtin_types=(bytes, bytearray), enc_hook=_plain)


def converted(value: Any, kind: Any) -> Any:
    """`plain(value)` as a type. Raises TypeError, of one line, where it can't be converted."""
    try:
        return msgspec.convert(plain(value), kind)
    except (msgspec.ValidationError, TypeError, ValueError, RecursionError, OverflowError) as error:
        what = str(error).replace("`", "")
        raise TypeError(f"{what[:1].lower()}{what[1:]}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, PurePath):
        return str(value)
    try:
        if isinstance(value, Iterator):
            return list(islice(value, MOST_VALUES))
        return value.tolist()  # NumPy's scalars and arrays, and tensors, without importing them
    except Exception:  # whatever a strange object raises
        raise TypeError(f"a {type(value).__name__} means nothing here") from None
