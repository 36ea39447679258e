"""Arguments of the API: converted to what the annotations name, or refused with the name of the argument."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from packnet_core.errors import RequestError
from packnet_core.schema.arguments import checked


@checked
def taken(
    path: str | Path = "", *names: str, ratio: float | None = None, layers: Mapping[str, float] | None = None,
    own: Iterable[str] = (), count: int = 0, anything: Any = None, unknown: "Unseen" = None, **rest: Any,  # noqa: F821
) -> tuple[Any, ...]:  # fmt: skip
    return path, names, ratio, layers, own, count, anything, unknown, rest


def test_what_a_caller_means_is_converted():
    found = taken(
        Path("/a"), "b", ratio=np.float32(0.5), layers={"conv": 1}, own=(name for name in ("c", "d")),
        count=np.int64(3), anything=object, unknown=taken, other=object,
    )  # fmt: skip
    assert found == ("/a", ("b",), 0.5, {"conv": 1.0}, ["c", "d"], 3, object, taken, {"other": object})
    assert taken(own="norms") == ("", (), None, None, "norms", 0, None, None, {})


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": b"x"}, {"path": "a\0b"}, {"path": "\ud800"}, {"path": "a" * 300}, {"path": "a/" * 3000}, {"path": 5},
        {"ratio": True}, {"ratio": "0.5"}, {"ratio": [0.5]}, {"layers": {1: 2}}, {"layers": [1]}, {"own": [1]},
        {"own": object()}, {"count": 1.5}, {"count": True}, {"count": float("nan")},
    ],
    ids=lambda wrong: str(wrong).split(" object at")[0][:40],
)  # fmt: skip
def test_what_means_nothing_is_refused_in_one_line(wrong):
    with pytest.raises(RequestError) as refused:
        taken(**wrong)
    text = str(refused.value)
    assert text.startswith(f"{next(iter(wrong))}: ") or "path" in text
    assert len(text.splitlines()) == 1


def test_an_unknown_argument_is_a_type_error_as_of_any_function():
    with pytest.raises(TypeError, match="unexpected keyword"):
        checked(lambda ratio=1: ratio)(rato=1)
