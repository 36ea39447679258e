"""Text from outside, made safe to show: control codes in a file's names never reach the terminal."""

import unicodedata

import msgspec

# what decoding of JSON from outside raises: wrong JSON or types, invalid UTF-8, too deep
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def printable(text: str) -> str:
    r"""`text` with every character that is not printable written as its escape, such as `\x1b`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def has_control_characters(text: str) -> bool:
    """Whether `text` has control characters, surrogates, or separators of lines or paragraphs."""
    return any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in text)
