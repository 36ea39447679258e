"""Text from outside, made printable where it is decoded: a name in a file never steers a terminal.

Bytes from files, journals and sockets are decoded by `from_json`, names in data by `printable`.
"""

import unicodedata
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

Decoded = TypeVar("Decoded")

# what decoding of JSON from outside raises: wrong JSON or types, invalid UTF-8, too deep
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # control characters, direction of text, surrogates, separators
_JOINERS = "\u200c\u200d"  # they shape the letters of some scripts


def from_json(encoded: bytes | str, kind: type[Decoded]) -> Decoded:
    """Decode JSON from outside as a type; every string in it is printable. Raises one of UNREADABLE."""
    raw = encoded.encode("utf-8", "surrogatepass") if isinstance(encoded, str) else encoded
    if raw.isascii() and b"\\" not in raw and b"\x7f" not in raw:  # JSON with nothing else has printable text alone
        return cast(Decoded, _decoder(cast(Any, kind)).decode(raw))
    return msgspec.convert(_printable(msgspec.json.decode(raw)), kind)


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def printable(text: str) -> str:
    """`text` with every character that could steer a terminal written as its escape, such as `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(c if _shows(c) else c.encode("unicode_escape").decode() for c in text)


def has_control_characters(text: str) -> bool:
    """Whether `text` has control characters, surrogates, or separators of lines or paragraphs."""
    return any(unicodedata.category(c) in STEERING - {"Cf"} for c in text)


def _shows(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) not in STEERING


def _printable(value: Any) -> Any:
    """A decoded JSON value with every string in it printable."""
    match value:
        case str():
            return printable(value)
        case list():
            return [_printable(item) for item in value]
        case dict():
            return {printable(key): _printable(item) for key, item in value.items()}
        case _:
            return value
