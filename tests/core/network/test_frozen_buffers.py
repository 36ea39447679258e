"""Buffers that a module changes by itself: an older task's answers stay what they are, as its digest says."""

import pytest
import torch
from torch import nn

from packnet_core.errors import RequestError
from packnet_core.jobs import run_job
from packnet_core.packfile import create, storage
from packnet_core.packfile.header import read_header
from packnet_core.packfile.verify import verify
from tests.worlds import add, images, work


class OwnStatistics(nn.Module):
    """Normalises by statistics that it updates itself in place."""

    def __init__(self, replaces=False, always=False):
        super().__init__()
        self.replaces, self.always = replaces, always
        self.hidden = nn.Linear(64, 32)
        self.output = nn.Linear(32, 10)
        self.register_buffer("mean", torch.zeros(32))

    def forward(self, x):
        x = self.hidden(x.flatten(1))
        if self.training or self.always:
            new = 0.9 * self.mean + 0.1 * x.detach().mean(0)
            if self.replaces:
                self.mean = new
            else:
                self.mean.copy_(new)
        return self.output(torch.relu(x - self.mean))


def in_place():
    return OwnStatistics()


def in_place_always():
    return OwnStatistics(always=True)


def replacing():
    return OwnStatistics(replaces=True)


@pytest.mark.parametrize("arch", ["in_place", "in_place_always"])
def test_a_later_task_leaves_the_buffers_of_older_ones(tmp_path, arch):
    path, data = tmp_path / "net.safetensors", images(tmp_path / "data.npz")
    list(create.new(path, f"{__name__}:{arch}", input_size=8, channels=1))
    work(path, add("one", data))
    x = torch.randn(4, 1, 8, 8)
    first, _ = storage.load(path)
    assert first.rest["mean"].abs().sum() > 0  # the first task's statistics are trained
    wanted = first.model_of(1)(x)
    work(path, add("two", images(tmp_path / "other.npz", seed=3)))
    network, _ = storage.load(path)
    assert torch.equal(network.model_of(1)(x), wanted)
    assert torch.equal(network.rest["mean"], first.rest["mean"])
    assert all(finding.ok for finding in verify(path))


def test_a_network_that_replaces_a_buffer_is_refused_by_name(tmp_path):
    path = tmp_path / "net.safetensors"
    with pytest.raises(RequestError, match="replaces its buffer 'mean' in forward"):
        list(create.new(path, f"{__name__}:replacing", input_size=8, channels=1))
    assert not path.exists()


def test_a_network_that_replaces_a_buffer_later_is_refused_while_it_is_trained(tmp_path, monkeypatch):
    path, data = tmp_path / "net.safetensors", images(tmp_path / "data.npz")
    list(create.new(path, f"{__name__}:in_place", input_size=8, channels=1))
    work(path, add("one", data))
    before = path.read_bytes()
    build = OwnStatistics.__init__
    monkeypatch.setattr(OwnStatistics, "__init__", lambda self: build(self, replaces=True))
    last = list(run_job.run(path, add("two", data)))[-1].event
    assert last.outcome == "failed"
    assert "replaces its buffer 'mean'" in last.message
    assert path.read_bytes() == before
    assert [task.name for task in read_header(path).document.tasks] == ["one"]
