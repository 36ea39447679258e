"""Sizes compared with the paper's (Tables 2 to 4, §3) and with those of a file."""

import pytest

from packnet_core.errors import RequestError
from packnet_core.packfile.header import read_header
from packnet_core.planning.sizes import sizes
from tests.worlds import add, images, pack_file, work

TABLE_1 = (1000, 200, 196, 102)  # ImageNet, CUBS, Stanford Cars, Flowers


def megabytes(size: int) -> int:
    return round(size / 1e6)


@pytest.mark.parametrize(
    ("arch", "classes", "printed"),
    [
        ("vgg16", TABLE_1, (562, 595, 2173)),
        ("vgg16", (1000, 365), (559, 576, 1096)),
        ("vgg16_bn", TABLE_1, (562, 595, 2173)),
        ("resnet50", TABLE_1, (107, 112, 389)),
        ("densenet121", TABLE_1, (34, 36, 119)),
    ],
)
def test_the_size_rows_of_tables_2_to_4(arch, classes, printed):
    found = sizes(arch, classes)
    assert tuple(map(megabytes, (found.classifier_only, found.packed, found.individual))) == printed


@pytest.mark.parametrize(("added", "printed"), [(0, 0), (1, 17), (3, 34)])
def test_what_adding_tasks_to_vgg_16_costs_besides_their_heads(added, printed):
    found = sizes("vgg16", TABLE_1[: added + 1])
    assert megabytes(found.network + found.rest) == 537
    assert megabytes(found.owners) == printed


@pytest.mark.parametrize(("arch", "millions"), [("vgg16", 140), ("resnet50", 27), ("densenet121", 8.6)])
def test_the_parameters_of_classifier_only_networks(arch, millions):
    """§4: 140 M, 27 M and 8.6 M."""
    found = sizes(arch, TABLE_1)
    assert float(f"{found.classifier_only / 4e6:.2g}") == millions


def test_a_large_network_takes_no_memory():
    found = sizes("vit_h_14", (10,) * 254)
    assert found.bits == 8
    assert found.network > 2.5e9
    assert found.owners == found.weights


def test_sizes_equal_those_of_a_file_to_the_byte(tmp_path):
    path = pack_file(tmp_path / "net.safetensors", "cifar_resnet8", 32, 3)
    for index, classes in enumerate((3, 4, 2)):
        data = images(tmp_path / f"{index}.npz", classes=classes, size=32, channels=3)
        work(path, add(f"task {index}", data, yes=True))
    kinds = read_header(path).bytes_by_kind()
    found = sizes("cifar_resnet8", (3, 4, 2))
    assert {kind: getattr(found, kind) for kind in ("network", "rest", "heads", "owners")} == {
        kind: size for kind, size in kinds.items() if kind != "file"
    }
    assert 0 < kinds["file"] - found.packed < 20_000  # the header


@pytest.mark.parametrize(
    ("arch", "classes", "says"),
    [
        ("squeezenet1_0", (10,), "no linear layer"),
        ("resnet19", (10,), "resnet18"),
        ("resnet18", (), "1 to 254 tasks"),
        ("resnet18", (2,) * 255, "255"),
        ("resnet18", (10, 0), "one class or more"),
    ],
)
def test_networks_and_tasks_without_a_size_are_refused(arch, classes, says):
    with pytest.raises(RequestError, match=says):
        sizes(arch, classes)
