"""Values of other libraries as plain ones, for arguments of a caller of the API."""

from pathlib import PurePath
from typing import Any

import msgspec


def plain(value: Any) -> Any:
    """`value` as None, bool, int, float, str, list or dict, also from NumPy's scalars and arrays, paths and structs.

    Bytes stay bytes, so that no type of a command takes them. Raises TypeError for a value of any other type.
    """
    return msgspec.to_builtins(value, builtin_types=(bytes, bytearray), enc_hook=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, PurePath):
        return str(value)
    if callable(tolist := getattr(value, "tolist", None)):  # NumPy's scalars and arrays, without importing NumPy
        return tolist()
    raise TypeError(f"a {type(value).__name__} means nothing here")
