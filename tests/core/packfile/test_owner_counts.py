"""Counts of owners by bins: the same as a network's owners, for layers of any shape, in any phase, piece by piece."""

import math
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packnet_core.errors import FileError
from packnet_core.packfile import owner_counts as module
from packnet_core.packfile import storage, stored
from packnet_core.packfile.header import read_header
from packnet_core.packfile.owner_counts import owner_counts
from tests.tui.made_up import document, task, write
from tests.tui.made_up_owners import fill
from tests.worlds import add, images, pack_file, work

PHASES = ("trained", "pruned", "retrained", "sealed")
shapes = st.lists(st.integers(1, 7), min_size=1, max_size=5).map(tuple)


def binned(owners: np.ndarray, counts) -> np.ndarray:
    """The same counts, one weight at a time."""
    made = np.zeros_like(counts.counts)
    rows, columns, _ = made.shape
    outputs, inputs = np.divmod(np.arange(owners.size), counts.inputs * counts.positions)
    if not counts.apart:
        inputs, columns = inputs // counts.positions, columns * counts.positions
    across = inputs * columns // (counts.inputs * counts.positions)
    np.add.at(made, (outputs * rows // counts.outputs, across, owners.reshape(-1)), 1)
    return made


@given(
    shape=shapes,
    ratios=st.lists(st.sampled_from([0.0, 0.3, 0.5, 0.9]), max_size=5),
    phase=st.sampled_from(PHASES),
    rows=st.integers(1, 9),
    columns=st.integers(1, 40),
    piece=st.sampled_from([8, 24, 1 << 18]),
)
def test_counts_by_bins_are_those_of_the_owners(tmp_path_factory, shape, ratios, phase, rows, columns, piece):
    path = tmp_path_factory.mktemp("file") / "model.safetensors"
    tasks = [task(f"task {i}", ratio, 20.0) for i, ratio in enumerate(ratios)]
    if tasks:
        tasks[-1] = task("last", None if phase == "trained" else ratios[-1], 20.0, phase)
    described = document(tasks, {"conv.weight": shape})
    owners = fill(write(path, described))["conv.weight"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE", piece)
        counts = owner_counts(path, "conv.weight", rows, columns)
    assert counts.owned == described.layers[0].owned
    assert counts.counts.sum() == math.prod(shape)
    assert counts.counts.shape[0] <= rows
    assert counts.counts.shape[1] <= max(columns, 1)
    assert (counts.counts == binned(owners, counts)).all()
    assert (stored.read(path).owners["conv.weight"].numpy() == owners).all()


@pytest.mark.parametrize("prune", [None, 0.5])
def test_they_are_the_packed_networks_own(tmp_path, prune):
    data = images(tmp_path / "data.npz")
    path = pack_file(tmp_path / "model.safetensors")
    work(path, add("first", data))
    work(path, add("second", data, prune=prune))
    network, _ = storage.load(path)
    for layer in read_header(path).document.layers:
        counts = owner_counts(path, layer.name, 20, 30)
        assert counts.owned == layer.owned
        assert counts.counts.sum() == layer.weights
        assert (counts.counts == binned(network.owners[layer.name].numpy(), counts)).all()


def test_without_tasks_all_is_free(tmp_path):
    path = pack_file(tmp_path / "model.safetensors")
    counts = owner_counts(path, "conv1.weight", 4, 3)
    assert counts.counts.shape[2] == 1
    assert counts.counts.sum() == read_header(path).document.layers[0].weights


def test_kernel_positions_have_columns_of_their_own_if_there_is_room(tmp_path):
    path = write(tmp_path / "model.safetensors", document((), {"conv.weight": (4, 6, 3, 3)}))
    wide, narrow = owner_counts(path, "conv.weight", 8, 54), owner_counts(path, "conv.weight", 8, 53)
    assert (wide.apart, wide.counts.shape) == (True, (4, 54, 1))
    assert (narrow.apart, narrow.counts.shape) == (False, (4, 6, 1))
    assert (narrow.counts == 9).all()


def test_bins_differ_by_one_output_and_one_input_at_most(tmp_path):
    path = write(tmp_path / "model.safetensors", document((), {"hidden.weight": (64, 100)}))
    counts = owner_counts(path, "hidden.weight", 62, 30).counts.sum(axis=2)
    assert counts.shape == (62, 30)
    assert sorted(set(counts.reshape(-1).tolist())) == [3, 4, 6, 8]


# -- files that are not as they should be ----------------------------------------------------------------------------

THREE = document([task(name, 0.5, 20.0) for name in ("a", "b", "c")], {"hidden.weight": (16, 40)})


@pytest.fixture
def path(tmp_path):
    made = write(tmp_path / "model.safetensors", THREE)
    fill(made)
    return made


def test_a_layer_that_is_not_there(path):
    with pytest.raises(FileError, match=r"model.safetensors has no layer 'conv.weight'"):
        owner_counts(path, "conv.weight", 4, 4)


def test_a_file_that_is_gone(tmp_path):
    with pytest.raises(FileError, match="there is no file"):
        owner_counts(tmp_path / "model.safetensors", "hidden.weight", 4, 4)


def test_other_counts_than_the_header_has(path):
    made = write(path, THREE)  # all zeros
    with pytest.raises(FileError, match=r"owners' counts \[0, 0, 0\], and its header says \[320, 160, 80\]"):
        owner_counts(made, "hidden.weight", 4, 4)


def test_an_owner_beyond_the_last_task(path):
    raw = bytearray(path.read_bytes())
    info = read_header(path).tensors["packnet.owner.hidden.weight"]
    start = len(raw) - max(each.data_offsets[1] for each in read_header(path).tensors.values())
    raw[start + info.data_offsets[0] : start + info.data_offsets[1]] = b"\xff" * info.bytes
    path.write_bytes(raw)
    with pytest.raises(FileError, match="a weight is of task 4, and there are 3 tasks"):
        owner_counts(path, "hidden.weight", 4, 4)


def test_a_file_cut_while_it_is_read(path, monkeypatch):
    monkeypatch.setattr(module, "PIECE", 8)
    check = module.check_header

    def cut(path: Path, header):
        checked = check(path, header)
        with open(path, "r+b") as file:
            file.truncate(header.start + 100)
        return checked

    monkeypatch.setattr(module, "check_header", cut)
    with pytest.raises(FileError, match="ends before its last weight"):
        owner_counts(path, "hidden.weight", 4, 4)


def test_a_large_layer_takes_little_memory(tmp_path):
    shape = (4096, 2048)
    path = write(tmp_path / "model.safetensors", document((), {"large.weight": shape}))
    tracemalloc.start()
    try:
        assert owner_counts(path, "large.weight", 60, 100).counts.sum() == math.prod(shape)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 30e6  # its weights take 34 MB


def test_it_needs_no_torch():
    code = "import sys, packnet_core.packfile.owner_counts; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
