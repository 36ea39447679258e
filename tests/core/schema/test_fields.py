"""What a described field says about itself."""

import math
from typing import Annotated, Literal

import pytest
from msgspec import Meta, Struct

from packnet_core.schema.fields import about, described


class Oven(Struct, kw_only=True):
    heat: Annotated[float, Meta(gt=0), about("heat", "How hot.", "§1")] = 180.0
    share: Annotated[float, Meta(ge=0, lt=1), about("share", "A part.")] = 0.5
    number: Annotated[int, Meta(ge=0, le=5000), about("number", "Which one.")] = 0
    trays: Annotated[Annotated[int, Meta(ge=1)] | None, about("trays", "How many.", unset="one")] = None
    top: Annotated[bool, about("top heat", "Heat from above.", flags="--top/--bottom")] = False
    mode: Annotated[Literal["fan", "grill", "both"], about("mode", "Where heat comes from.", metavar="M")] = "fan"


FIELDS = described(Oven)


def test_types_limits_and_words():
    assert {name: (field.type, field.optional, field.limits) for name, field in FIELDS.items()} == {
        "heat": (float, False, "above 0"),
        "share": (float, False, "from 0 to below 1"),
        "number": (int, False, "from 0 to 5,000"),
        "trays": (int, True, "at least 1"),
        "top": (bool, False, "on or off"),
        "mode": (str, False, "fan, grill or both"),
    }
    assert (FIELDS["heat"].label, FIELDS["heat"].help, FIELDS["heat"].paper) == ("heat", "How hot.", "§1")
    assert (FIELDS["trays"].default, FIELDS["trays"].unset) == (None, "one")
    assert (FIELDS["top"].option, FIELDS["mode"].option, FIELDS["mode"].metavar) == ("--top/--bottom", "--mode", "M")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("heat", 0.1, ""),
        ("heat", 0.0, "0 is not above 0"),
        ("heat", math.nan, "nan is not above 0"),
        ("heat", math.inf, "inf is not above 0"),
        ("share", 1.0, "1 is not from 0 to below 1"),
        ("number", 5000, ""),
        ("number", 5001, "5,001 is not from 0 to 5,000"),
        ("trays", 0, "0 is not at least 1"),
        ("mode", "both", ""),
        ("mode", "oil", "'oil' is not fan, grill or both"),
    ],
)
def test_a_value_outside_of_the_limits_is_reported(name, value, problem):
    assert FIELDS[name].problem(value) == problem
