"""Text from outside, made printable where it is decoded: a name in a file never steers a terminal.

Bytes from files, journals and sockets are decoded by `Decoder`, names in data by `printable`.
"""

import unicodedata
from typing import Any, Generic, TypeVar, cast

import msgspec

Decoded = TypeVar("Decoded")

# what decoding of JSON from outside raises: wrong JSON or types, invalid UTF-8, too deep
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # control characters, direction of text, surrogates, separators
_JOINERS = "\u200c\u200d"  # they shape the letters of some scripts


class Decoder(Generic[Decoded]):
    """Decodes JSON from outside as a type; every string in it is then printable."""

    def __init__(self, kind: Any):
        self._kind = kind
        self._decoder = msgspec.json.Decoder(kind)

    def decode(self, encoded: bytes | str) -> Decoded:
        """The value. Raises one of UNREADABLE."""
        raw = encoded.encode("utf-8", "surrogatepass") if isinstance(encoded, str) else encoded
        if raw.isascii() and b"\\" not in raw and b"\x7f" not in raw:  # JSON of nothing else has printable text alone
            return cast(Decoded, self._decoder.decode(raw))
        return cast(Decoded, msgspec.convert(_printable(msgspec.json.decode(raw)), self._kind))


def from_json(encoded: bytes | str, kind: type[Decoded]) -> Decoded:
    """`encoded` as `Decoder(kind)` decodes it."""
    return Decoder[Decoded](kind).decode(encoded)


def to_json(value: Any) -> bytes:
    """Encode a value as JSON. File names that are not UTF-8, which JSON can't have, become printable."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_printable(msgspec.to_builtins(value)))


def printable(text: str) -> str:
    r"""`text` with every character that could steer a terminal written as its escape, such as `\x1b`."""
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
        case list() | tuple():
            return [_printable(item) for item in value]
        case dict():
            return {printable(key): _printable(item) for key, item in value.items()}
        case _:
            return value
