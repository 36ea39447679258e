"""Layers' names for a narrow column: without words that say nothing, and different within one network."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

from rich.cells import cell_len

from packnet_tui.state.format import cut_middle

ENDINGS = re.compile(r"[._]?weight$")
LETTER = re.compile(r"[^\W\d_]")


@lru_cache(maxsize=64)
def layer_names(names: tuple[str, ...], width: int) -> tuple[str, ...]:
    """The names of a network's layers, each in at most `width` cells, without the final `weight`.

    If all of them fit, they stay whole. Else words that neighbours share are left out (of
    `encoder.layers.encoder_layer_3.mlp.0` remains `encoder.3.mlp.0`), then, in names that still do not fit, words that
    are not needed to tell them apart; at last the middle. Names that would become equal stay different as long as
    `width` allows.
    """
    plain = [ENDINGS.sub("", name) or name for name in names]
    if len(set(plain)) < len(set(names)):  # such as `in` and `in.weight`
        plain = list(names)
    if all(cell_len(name) <= width for name in plain):
        return tuple(plain)
    shared = _without_shared(plain)
    return tuple(_fitted(_without_middle_words(shared, width), width))


def longest_name(names: Iterable[str]) -> int:
    """The width in cells that all names need to stay whole."""
    return max((cell_len(ENDINGS.sub("", name) or name) for name in names), default=0)


def _without_shared(names: Sequence[str]) -> list[str]:
    """Names without words that have no sibling, and words before the last one without what siblings begin with.

    Each name keeps a word with letters.
    """
    split = [name.split(".") for name in names]
    siblings: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for words in split:
        for i, word in enumerate(words):
            siblings[tuple(words[:i])].add(word)
    made = []
    for words in split:
        kept = list(words)
        for i, word in enumerate(words):
            among = siblings[tuple(words[:i])]
            if len(among) == 1:
                kept[i] = ""
            elif i < len(words) - 1:
                kept[i] = word[len(_prefix(among)) :]
        if not LETTER.search("".join(kept)):
            i = max((i for i, word in enumerate(words) if LETTER.search(word)), default=0)
            kept[i] = words[i]
        made.append(".".join(filter(None, kept)))
    return made if len(set(made)) == len(set(names)) else list(names)


def _prefix(words: Iterable[str]) -> str:
    """What words such as `layer1`, `layer2` have before their numbers; empty if they are not of this kind."""
    stems = {word.rstrip("0123456789") for word in words}
    return stems.pop() if len(stems) == 1 and not stems & set(words) else ""


def _without_middle_words(names: Sequence[str], width: int) -> list[str]:
    """Names without middle words, the longest first, until they fit, if they stay different.

    A word before a number stays, since the number alone says nothing: `mlp` in `mlp.0`. What one name loses, all names
    lose that can, so that they look alike.
    """
    taken, made = Counter(names), list(names)

    def drop(n: int, word: str) -> bool:
        words = made[n].split(".")
        i = words.index(word, 1)
        short = ".".join([*words[:i], *words[i + 1 :]])
        if taken[short]:
            return False
        taken[made[n]] -= 1
        taken[short] += 1
        made[n] = short
        return True

    dropped = set()
    for n in range(len(made)):
        while cell_len(made[n]) > width:
            word = next((word for word in _middle_words(made[n]) if drop(n, word)), None)
            if word is None:
                break
            dropped.add(word)
    for n in range(len(made)):
        for word in dropped.intersection(_middle_words(made[n])):
            drop(n, word)
    return made


def _middle_words(name: str) -> list[str]:
    """The words between the first and the last one that neither end in a digit nor come before a number, by length."""
    words = name.split(".")
    middle = [word for word, next in pairwise(words[1:]) if not next.isdigit()]
    return sorted((word for word in middle if not word[-1:].isdigit()), key=cell_len, reverse=True)


def _fitted(names: Sequence[str], width: int) -> list[str]:
    """Names cut to the width; where cut ones would be equal, their words are shortened to first letter and number."""
    cut = [cut_middle(name, width) for name in names]
    many = Counter(cut)
    return [cut_middle(_initials(name, width), width) if many[c] > 1 else c for name, c in zip(names, cut, strict=True)]


def _initials(name: str, width: int) -> str:
    """`encoder_block_11.mlp.0` as `e11.mlp.0`: words become their first letter and number, from the left."""
    words = name.split(".")
    for i, word in enumerate(words[:-1]):
        if cell_len(".".join(words)) <= width:
            break
        if not word.isdigit():
            words[i] = word[:1] + word[len(word.rstrip("0123456789")) :]
    return ".".join(words)
