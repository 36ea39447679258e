"""How soon something is seen: against `python -c "import torch"` in a process of its own."""

import subprocess
import sys

import pytest

from packnet_core.packfile import storage
from tests.benchmarks.networks import packed


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg") / "vgg16.safetensors"
    storage.save(path, *packed("vgg16"))
    return path


def python(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def import_torch() -> None:
    python("-c", "import torch")


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["table", "json"])
def test_inspect_vgg16_four_tasks(compare, file, options):
    code = "import sys; from packnet_tui.cli import packnet; sys.argv[0] = 'packnet'; packnet()"
    compare(lambda: python("-c", code, "inspect", str(file), *options), import_torch, bar=0.15, aim=0.08)
