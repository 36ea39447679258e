"""A filter-pruning experiment saved and loaded."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from packnet_core.baselines import filters
from packnet_core.baselines.filter_file import load, save
from packnet_core.errors import FileError
from packnet_core.files.safetensors_header import read_safetensors_header
from packnet_core.packfile import storage
from packnet_core.schema.events import Evaluated
from tests import worlds
from tests.core.baselines.filter_experiments import INPUT, RECIPE, begin


def test_a_saved_experiment_is_loaded_unchanged(done, data, tmp_path):
    experiment, path = done[0], tmp_path / "filters.safetensors"
    assert save(path, experiment) == path.stat().st_size
    again = load(path)
    assert (again.tasks, again.architecture, again.input) == (experiment.tasks, experiment.architecture, INPUT)
    assert again.network.counts() == experiment.network.counts()
    assert again.network.digest() == experiment.network.digest()
    state, loaded = experiment.network.model.state_dict(), again.network.model.state_dict()
    assert list(state) == list(loaded)
    assert all(torch.equal(state[name], loaded[name]) for name in state)
    assert all(torch.equal(experiment.network.owners[n], owner) for n, owner in again.network.owners.items())
    tests = {name: one.test for name, one in data.items()}
    errors = {e.task: e.error for e in filters.evaluate_tasks(again, tests) if isinstance(e, Evaluated)}
    assert errors == {task.name: task.error for task in experiment.tasks}


def test_a_saved_experiment_can_be_resumed(data, tmp_path):
    """Saved after pruning and loaded again, it adds a task with the same bits as without."""
    straight = begin()
    list(filters.prune(straight, "old", data["old"], RECIPE, rounds=1))
    save(tmp_path / "half", straight)
    stopped = load(tmp_path / "half")
    for experiment in (straight, stopped):
        list(filters.add(experiment, "new", data["new"], RECIPE))
    state, other = (experiment.network.model.state_dict() for experiment in (straight, stopped))
    assert all(torch.equal(state[name], other[name]) for name in state)


def test_other_files_are_refused(done, tmp_path):
    path = tmp_path / "filters.safetensors"
    save(path, done[0])
    with pytest.raises(FileError, match="not a pack file"):
        storage.load(path)
    worlds.pack_file(tmp_path / "pack.safetensors")
    with pytest.raises(FileError, match="not a filter-pruning experiment"):
        load(tmp_path / "pack.safetensors")
    metadata, tensors = read_safetensors_header(path)[0], load_file(path)
    for change in ({"packnet.freed.conv1": None}, {"packnet.freed.conv1": torch.zeros(3)}):
        changed = {name: t for name, t in {**tensors, **change}.items() if t is not None}
        save_file(changed, tmp_path / "changed", metadata)
        with pytest.raises(FileError, match=r"changed.*(disagree|do not fit)"):
            load(tmp_path / "changed")
