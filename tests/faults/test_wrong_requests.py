"""What is asked for wrongly ends in one line that says what, from the command line and from Python."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

import packnet_core as packnet
from packnet_core.errors import RequestError
from packnet_core.jobs import journal
from packnet_core.network import architectures
from packnet_core.network.device import pick_device
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Add
from packnet_tui.cli.main import packnet as cli
from tests.tui.cli.conftest import one_line
from tests.worlds import add, images, pack_file, rewrite, work


class TwoHeads(nn.Module):
    """Its answer is the sum of two heads."""

    def __init__(self):
        super().__init__()
        self.body, self.one, self.two = nn.Conv2d(1, 4, 8), nn.Linear(4, 5), nn.Linear(4, 5)

    def forward(self, x):
        seen = self.body(x).flatten(1)
        return self.one(seen) + self.two(seen)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("prune FILE -0.1", "-0.1 is below 0, and a pruning ratio is a share from 0 to 1"),
        ("preview FILE 0.5 -1", "-1 is below 0, and a pruning ratio"),
        ("add FILE x --data sklearn:digits --optimizer q", "'--optimizer': 'q' is not one of 'sgd', 'adamw'"),
        ("add FILE x --data sklearn:digits --batch-size 1e23", "'--batch-size'"),
        ("add FILE x --data sklearn:digits --device meta", "device 'meta' can't be used"),
        ("eval FILE --device cuda:99999999999999999999", "no task"),
        ("new other.safetensors --arch nosuch", "there is no network 'nosuch' (there are torchvision's"),
        ("new other.safetensors --arch resnet19", "close to it: resnet1"),
        ("new other.safetensors --arch vgg16 --channels 1000000000", "'--channels'"),
        ("new other.safetensors --arch vgg16 --input-size 99999999999999999999", "'--input-size'"),
        ("new other.safetensors --arch cifar_resnet9998", "up to 1202"),
        ("new other.safetensors --arch tests.faults.test_wrong_requests:TwoHeads --channels 1 --input-size 8", "alone"),
    ],
)
def test_from_the_command_line(path, capsys, monkeypatch, arguments, says):
    monkeypatch.chdir(path.parent)
    assert cli([str(path) if word == "FILE" else word for word in arguments.split()]) == 2
    text = one_line(capsys.readouterr().err)
    assert says in text
    assert "Value error" not in text


@pytest.mark.parametrize("device", ["meta", "nowhere", "cuda:99999999999999999999", "cpu:1:2", ""])
def test_devices_that_can_t_be_used(device):
    if device:
        with pytest.raises(RequestError, match="can't be used here"):
            pick_device(device)
    else:
        assert pick_device(device)


SAVED = {
    "int keys": {1: torch.zeros(2)},
    "sparse": {"a": torch.eye(3).to_sparse()},
    "meta": {"a": torch.zeros(2, device="meta")},
    "complex": {"a": torch.zeros(2, dtype=torch.complex64)},
    "one value repeated": {"a": torch.zeros(1).expand(10**12)},
    "a list": [torch.zeros(2)],
}


@pytest.mark.parametrize("state", SAVED.values(), ids=SAVED.keys())
def test_weights_of_other_kinds(tmp_path, state):
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(RequestError, match=r"w\.pth"):
        architectures.load_weights(str(tmp_path / "w.pth"), "digits_net")


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"e", b"\x80\x02.", pickle.dumps({"a": 1}), b"PK\x03\x04" + bytes(99)]
)
def test_garbage_is_no_weights_and_torch_s_advice_to_run_it_is_not_passed_on(tmp_path, content):
    for suffix in (".pth", ".safetensors"):
        (tmp_path / f"w{suffix}").write_bytes(content)
        with pytest.raises(RequestError) as refused:
            architectures.load_weights(str(tmp_path / f"w{suffix}"), "digits_net")
        assert len(str(refused.value).splitlines()) == 1
        assert "weights_only" not in str(refused.value)


def test_a_state_dict_is_taken_as_weights_and_a_module_is_refused(tmp_path):
    state = architectures.build("digits_net", channels=1).state_dict()
    file = packnet.new(tmp_path / "a.safetensors", "digits_net", weights=state, input_size=8, channels=1)
    assert torch.equal(file.network.weights["conv1.weight"].data, state["conv1.weight"])
    with pytest.raises(RequestError, match="this is a Linear"):
        packnet.new(tmp_path / "b.safetensors", nn.Linear(2, 2))


@pytest.mark.parametrize("head", ["nowhere", "conv1", "", "hidden", "output.weight"])
def test_another_head_in_the_header_is_one_line(path, head):
    rewrite(path, lambda d: d["architecture"].update(head=head))
    with pytest.raises(RequestError, match=r"disagree|is missing"):
        packnet.open(path, device="cpu").network  # noqa: B018


@pytest.mark.parametrize("index", ["²", "9" * 5000, "0", "-1", "01", "", "1"])
def test_a_tensor_of_no_task_is_one_line(path, index):
    rewrite(path, None, lambda h: h.update({f"packnet.rest.{index}.x": h.pop("conv1.bias", None) or h.pop("bn1.bias")}))
    with pytest.raises(RequestError, match="belongs to nothing"):
        packnet.open(path)


def test_nan_in_the_shared_rest_is_found(tmp_path, path):
    state = architectures.build("digits_net", channels=1).state_dict()
    state["bn1.running_mean"][0] = float("nan")
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(RequestError, match=r"bn1\.running_mean .*NaN"):
        pack_file(tmp_path / "a.safetensors", weights=str(tmp_path / "w.safetensors"))
    work(path, add("one", images(tmp_path / "one.npz")))
    assert all(finding.ok for finding in verify(path))
    raw = path.read_bytes()
    from packnet_core.packfile.header import read_header

    begin = 8 + int.from_bytes(raw[:8], "little")
    place = begin + read_header(path).tensors["bn1.running_mean"].data_offsets[0]
    path.write_bytes(raw[:place] + np.float32("nan").tobytes() + raw[place + 4 :])
    assert "tensor bn1.running_mean" in [finding.what for finding in verify(path) if not finding.ok]


def test_file_names_that_are_not_utf_8_can_be_told_of(path, tmp_path):
    data = tmp_path / "data"
    for part in ("train", "test"):
        for name in ("a", "b"):
            (data / part / name).mkdir(parents=True)
            for index in range(2):
                Image.new("L", (8, 8)).save(data / part / name / f"{index}.png")
    with open(bytes(data / "train" / "a") + b"/\xff.png", "wb") as file:
        file.write(b"no image")
    from packnet_core.jobs import run_job

    *_, end = run_job.run(path, Add(task="x", data=str(data)))
    assert (end.event.outcome, end.event.status) == ("failed", 2)
    last = journal.read(Paths(path).journal)[-1].event
    assert r"\udcff.png" in last.message
