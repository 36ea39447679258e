"""`packnet sizes`: the paper's rows as it prints them, for any tasks."""

import json
import sys

import pytest

from packnet_tui.cli.output.sizes_report import class_counts
from tests.tui.cli.conftest import one_line


def test_rows_read_as_in_table_2(here):
    out, _ = here("sizes", "vgg16")
    assert "4 tasks, classes: 1000, 200, 196, 102" in out
    assert [line.split() for line in out.splitlines()[-3:]] == [
        ["classifier", "only", "1", "562", "MB"],
        ["packed", "1", "595", "MB"],
        ["individual", "networks", "4", "2,173", "MB"],
    ]


def test_rows_read_as_in_table_3(here):
    out, _ = here("sizes", "vgg16", "--classes", "1000,365")
    assert "1 bit per weight, 17 MB" in out
    assert [line.split()[-2] for line in out.splitlines()[-3:]] == ["559", "576", "1,096"]


def test_json_has_bytes(here):
    out, _ = here("sizes", "cifar_resnet20", "--tasks", "3", "--classes", "10", "--json")
    found = json.loads(out)
    assert (found["format"], found["architecture"], found["classes"], found["bits"]) == (
        1,
        "cifar_resnet20",
        [10, 10, 10],
        2,
    )
    size = found["bytes"]
    assert size["heads"] == 3 * 65 * 10 * 4
    assert size["packed"] == size["network"] + size["rest"] + size["heads"] + size["owners"]
    assert size["individual"] == 3 * (size["network"] + size["rest"]) + size["heads"]


def test_small_networks_are_not_rounded_to_nothing(here):
    out, _ = here("sizes", "digits_net", "--tasks", "2", "--classes", "4")
    assert "kB" in out
    assert " 0 MB" not in out


def test_help_says_what_is_counted(here):
    from typer.testing import CliRunner

    from packnet_tui.cli.program import app

    text = " ".join(CliRunner().invoke(app, ["sizes", "--help"]).output.split())
    for counted in ("4 bytes per value", "running statistics", "the heads", "ceil(log2 N) bits", "10^6"):
        assert counted in text


@pytest.mark.parametrize(
    ("tasks", "classes", "expected"),
    [
        (None, None, (1000, 200, 196, 102)),
        (2, None, (1000, 200)),
        (6, None, (1000, 200, 196, 102, 102, 102)),
        (None, "1000,365", (1000, 365)),
        (3, "10", (10, 10, 10)),
    ],
)
def test_classes_of_each_task(tasks, classes, expected):
    assert class_counts(tasks, classes) == expected


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("vgg16", "--classes", "10,many"), "'10,many' is not a list of numbers"),
        (("vgg16", "--tasks", "1", "--classes", "10,20"), "--classes has 2 numbers, and --tasks is 1"),
        (("vgg16", "--tasks", "255"), "less than or equal to 254"),
        (("vgg16", "--classes", "0"), "a task has one class or more"),
        (("vgg61",), "there is no network 'vgg61'; close to it: vgg1"),
        (("squeezenet1_0",), "no linear layer that a task's head could replace"),
    ],
)
def test_wrong_requests_are_one_line(here, arguments, says):
    assert says in one_line(here("sizes", *arguments, status=2)[1])


def test_wrong_numbers_are_reported_before_torch_is_imported(run):
    code = (
        "import sys; from packnet_tui.cli.main import packnet; status = packnet(['sizes', 'vgg16', '--classes', 'x'])"
    )
    result = run("-c", f"{code}; sys.exit(status + 10 * ('torch' in sys.modules))", program=sys.executable)
    assert result.returncode == 2
