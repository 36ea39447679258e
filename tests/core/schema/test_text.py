"""Text from outside is printable once it is decoded: every string of every type that is read from files and sockets."""

import json
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from packnet_core.baselines.filter_file import _Document as FilterDocument
from packnet_core.engine.protocol import Message, Reply
from packnet_core.files.safetensors_header import read_safetensors_header
from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.schema import commands, events
from packnet_core.schema.document import Document
from packnet_core.schema.text import UNREADABLE, from_json, has_control_characters, printable
from packnet_core.training.best_epoch import ValidatedEpoch

HOSTILE = "a\x1b]52;c;aGk=\x07\x9b5i\u202e\u2028\ud800\u200f\x7fé 数\u200d\u00a0\\"
SAFE = "a\\x1b]52;c;aGk=\\x07\\x9b5i\\u202e\\u2028\\ud800\\u200f\\x7fé 数\u200d\u00a0\\"


def every(kind: Any) -> list[Any]:
    """Values of a type, as JSON has them, that together have all its members, all texts hostile."""
    match kind:
        case inspect.Metadata(type=inner):
            return every(inner)
        case inspect.UnionType(types=types):
            return [value for member in types for value in every(member)]
        case inspect.StructType(cls=cls, fields=fields):
            tag = {} if cls.__struct_config__.tag is None else {"type": cls.__struct_config__.tag}
            found = [(field.encode_name, every(field.type)) for field in fields]
            most = max((len(values) for _, values in found), default=1)
            return [tag | {name: values[min(n, len(values) - 1)] for name, values in found} for n in range(most)]
        case inspect.StrType() | inspect.AnyType():
            return [HOSTILE.replace("\ud800", "")]
        case inspect.LiteralType(values=values):
            return list(values)
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return [every(item)]
        case inspect.TupleType(item_types=items):
            return [[every(item)[0] for item in items]]
        case inspect.DictType(key_type=key, value_type=item):
            return [{every(key)[0]: value} for value in every(item)]
        case inspect.IntType():
            return [1]
        case inspect.FloatType():
            return [0.5]
        case inspect.BoolType():
            return [True]
        case inspect.NoneType():
            return [None]
    raise AssertionError(kind)


def texts(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [text for pair in value.items() for part in pair for text in texts(part)]
        case list():
            return [text for item in value for text in texts(item)]
    return []


@pytest.mark.parametrize(
    "kind",
    [Document, events.Entry, commands.Command, Checkpoint, Reply, Message, FilterDocument, ValidatedEpoch],
    ids=str,
)
def test_every_text_of_every_type_is_printable(kind):
    found = []
    for value in every(inspect.type_info(kind)):
        found += texts(msgspec.to_builtins(from_json(msgspec.json.encode(value), kind)))
    assert all(printable(text) == text for text in found)
    if kind is not ValidatedEpoch:
        assert SAFE.replace("\\ud800", "") in found


def test_tensors_names_in_a_header_are_printable(tmp_path):
    path = tmp_path / "hostile.safetensors"
    text = json.dumps({HOSTILE.replace("\ud800", ""): {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    assert list(read_safetensors_header(path).tensors) == [SAFE.replace("\\ud800", "")]


def test_only_what_could_steer_a_terminal_is_escaped():
    assert printable(HOSTILE) == SAFE
    assert printable(SAFE) == SAFE


@pytest.mark.parametrize(
    "encoded", [b'"\xff"', b"[" * 100_000, b'"a', b'"\\ud800"', b'{"type":"note\xff"}', "\ud800", b""]
)
def test_what_can_t_be_read_is_one_kind_of_error(encoded):
    for kind in (str, Document, events.Entry, Any):
        with pytest.raises(UNREADABLE):
            from_json(encoded, kind)


def test_what_a_name_may_not_have():
    assert has_control_characters("a\x1b")
    assert not has_control_characters("a\u200d\u202eé")
