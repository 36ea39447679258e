"""Which networks are plain chains of filters."""

import pytest
from torch import nn

from packnet_core.baselines.filter_chain import find_chain
from packnet_core.errors import RequestError
from packnet_core.network import architectures
from tests.core.baselines.filter_experiments import begin


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("tests.networks:resnet", "ResNet .*'maxpool' goes to 2 places"),
        ("tests.networks:densenet", "DenseNet .*'features_pool0' goes to"),
        ("cifar_resnet8", "CifarResNet .*'relu' goes to 2 places"),
        ("tests.networks:mobilenet", "MobileNetV3 .*'Hardswish'"),
        ("tests.networks:vit", "VisionTransformer "),
    ],
)
def test_a_network_that_is_not_a_plain_chain_is_refused_and_the_place_is_named(name, where):
    with pytest.raises(RequestError, match=f"filters of {where}"):
        begin(name)


@pytest.mark.parametrize("name", ["vgg11", "vgg19_bn", "alexnet", "cifar_vgg", "digits_net", "tests.networks:vgg"])
def test_plain_chains_are_accepted(name):
    model = architectures.shapes(name)
    *layers, head = find_chain(model, architectures.find_head(model))
    modules = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert [layer.module for layer in (*layers, head)] == modules
    assert [layer.norm for layer in layers if layer.norm] == norms


def test_vgg16_has_the_papers_number_of_filters():
    model = architectures.shapes("vgg16")
    assert sum(layer.filters for layer in find_chain(model, "classifier.6")[:-1]) == 12_416
