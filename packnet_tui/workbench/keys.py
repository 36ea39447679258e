"""The user's own keys: a TOML file that gives actions other keys.

    [keys]
    add = "c"
    prune = ["p", "f5"]

Actions are named by `Action.id`, keys as Textual names them: a character, `space`, `f5`, `ctrl+r`.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from platformdirs import user_config_path
from textual.keys import key_to_character

from packnet_tui.workbench.actions import ACTIONS, Action

RESERVED = frozenset({"ctrl+s", "ctrl+j", "ctrl+o", "ctrl+a", "ctrl+b"})  # used by terminals and multiplexers


def keys_file() -> Path:
    """The path of the user's own keys.toml, which need not exist."""
    return user_config_path("packnet") / "keys.toml"


def load_keys(path: Path) -> tuple[tuple[Action, ...], list[str]]:
    """All actions, with their keys from a file, if it exists; and one line per error in it."""
    try:
        table = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return ACTIONS, []
    except (OSError, ValueError) as error:
        return ACTIONS, [f"{path} can't be read, so all keys are the usual ones: {error}"]
    given = table.get("keys", {})
    if not isinstance(given, Mapping) or set(table) - {"keys"}:
        return ACTIONS, [f"{path} must have one table, [keys], and nothing else"]
    actions, wrong = remapped(given)
    return actions, [f"{path}: {line}" for line in wrong]


def remapped(given: Mapping[str, object]) -> tuple[tuple[Action, ...], list[str]]:
    """All actions, those in `given` with their new keys; and one line per wrong entry, which is ignored."""
    wrong = []
    known = {action.id: action for action in ACTIONS}
    new: dict[str, Action] = {}
    for name, value in ((name.replace("_", "-"), value) for name, value in given.items()):
        keys = [value] if isinstance(value, str) else value
        if name not in known:
            wrong.append(f"there is no action {name!r}; the actions are {', '.join(known)}")
        elif not isinstance(keys, list) or not keys or not all(isinstance(key, str) and key.strip() for key in keys):
            wrong.append(f"{name} takes a key or a list of keys, and {value!r} is neither")
        elif taken := RESERVED & set(keys):
            wrong.append(f"{name} can't have {', '.join(sorted(taken))}: terminals and multiplexers use it")
        else:
            new[name] = replace(known[name], keys=tuple(key.strip() for key in keys), shown=_shown(keys[0].strip()))
    while clash := _clash([new.get(name, action) for name, action in known.items()], new):
        key, ours, other = clash
        wrong.append(f"{_shown(key)} would be both {ours} and {other}; {ours} keeps its usual key")
        del new[ours]
    return tuple(new.get(name, action) for name, action in known.items()), wrong


def keymap(actions: Iterable[Action]) -> dict[str, str]:
    """The keys of actions that do not have their usual ones, by id, for `App.set_keymap`."""
    return {action.id: ",".join(action.keys) for action in actions if action.keys and action not in ACTIONS}


def _clash(actions: Iterable[Action], new: Mapping[str, Action]) -> tuple[str, str, str] | None:
    """A key that two actions share, the id of the one with a new key, and the id of the other; None: no clash."""
    owner: dict[tuple[int, str], str] = {}
    for action in sorted(actions, key=lambda action: action.id in new):
        for key in action.keys:
            if (other := owner.setdefault((action.pane, _one(key)), action.id)) != action.id:
                return key, action.id, other
    return None


def _one(key: str) -> str:
    """One name for a key of which Textual has two: `?` for `question_mark`."""
    return key_to_character(key) or key


def _shown(key: str) -> str:
    """A key as footer and help show it."""
    return f"^{key.removeprefix('ctrl+')}" if key.startswith("ctrl+") else _one(key)
