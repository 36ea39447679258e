"""Completions of data that is being typed."""

import os

import pytest

from packnet_tui.cli.completion import completions
from packnet_tui.workbench.screens.field_input import proposal, unquoted


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    for folder in ("birds/train", "birds/test", "cars", ".hidden", "cats.npz.d"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("cats.npz", "notes.txt", ".secret.npz", "cars/sedans.npz"):
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("c", ["cars/", "cats.npz", "cats.npz.d/", "cub200:", "cars:"]),
        ("ca", ["cars/", "cats.npz", "cats.npz.d/", "cars:"]),
        ("cars", ["cars/", "cars:"]),
        ("cars/", ["cars/sedans.npz"]),
        ("cats.npz", ["cats.npz.d/"]),
        ("./b", ["./birds/"]),
        ("~", ["~/"]),
        ("~/b", ["~/birds/"]),
        ("..", ["../"]),
        ("n", []),
        (".", [".hidden/", ".secret.npz"]),
        (".h", [".hidden/"]),
        ("nowhere/x", []),
        ("fl", ["flowers102:"]),
        ("flowers102:b", ["flowers102:birds/"]),
        ("cub200:nowhere/", []),
        ("s", ["sklearn:digits"]),
        ("sklearn:digits", []),
        ("tor", ["torchvision:"]),
        ("torchvision:mn", ["torchvision:MNIST"]),
        ("torchvision:CIFAR10", ["torchvision:CIFAR100"]),
    ],
)
def test_folders_npz_files_and_named_data(typed, found):
    assert completions(typed) == found


def test_nothing_typed_yet_proposes_what_is_named_then_what_is_here():
    assert completions("") == ["sklearn:digits", "torchvision:", "birds/", "cars/", "cats.npz", "cats.npz.d/"]


def test_all_of_torchvisions_data_is_proposed():
    assert {"torchvision:MNIST", "torchvision:SVHN"} < set(completions("torchvision:"))


def test_an_absolute_path(here):
    assert completions(f"{here}/bi") == [f"{here}/birds/"]


def test_a_folder_that_is_linked_to_is_a_folder(here):
    os.symlink(here / "birds", here / "link")
    assert completions("li") == ["link/"]


def test_nothing_inside_a_data_folder_is_proposed():
    assert proposal("birds") == "birds/"
    assert proposal("birds/") is None
    assert proposal("birds/t") == "birds/test/"


@pytest.mark.parametrize(
    ("pasted", "meant"),
    [
        ("/a/b.npz\n", "/a/b.npz"),
        ("'/a b/c.npz'\r\n", "/a b/c.npz"),
        ('\n "/a/b" \nmore', "/a/b"),
        ("it's", "it's"),
        ("'", "'"),
        ("\n", ""),
        ("", ""),
    ],
)
def test_pasted_text_loses_quotes_and_line_ends(pasted, meant):
    assert unquoted(pasted) == meant
