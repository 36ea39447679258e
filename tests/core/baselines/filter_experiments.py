"""Small filter-pruning experiments for tests."""

import torch
from torch import nn

from packnet_core.baselines import filters
from packnet_core.baselines.filter_network import FilterNetwork
from packnet_core.network import architectures
from packnet_core.schema.document import Architecture, Input
from packnet_core.schema.recipes import Recipe

INPUT = Input(channels=3, size=16, mean=(0.5,) * 3, std=(0.25,) * 3)
RECIPE = Recipe(lr=0.05, epochs=1, retrain_epochs=1, batch_size=16)


def seven(name: str) -> nn.Module:
    torch.manual_seed(0)
    return architectures.build(name, classes=7)


def begin(name: str = "tests.networks:vgg_bn") -> filters.FilterExperiment:
    model = seven(name)
    head = architectures.find_head(model)
    features = model.get_submodule(head).in_features
    return filters.begin(Architecture(name=name, head=head, features=features), INPUT, model)


def every_third_freed(network: FilterNetwork) -> None:
    network.free([torch.arange(layer.filters) % 3 == 1 for layer in network.layers])
