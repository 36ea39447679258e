"""Small variants of the paper's networks, for `--arch tests.networks:NAME`."""

import torchvision
from torch import nn


def vgg_bn() -> nn.Module:
    """VGG-16-BN in small: the same kinds of layers in the same order, dropout too."""
    features = torchvision.models.vgg.make_layers([8, "M", 16, "M", 16, "M"], batch_norm=True)
    network = torchvision.models.VGG(features, num_classes=7, init_weights=True, dropout=0.2)
    network.avgpool = nn.AdaptiveAvgPool2d(1)
    network.classifier[0] = nn.Linear(16, 24)
    network.classifier[3] = nn.Linear(24, 24)
    network.classifier[6] = nn.Linear(24, 7)
    return network


def resnet() -> nn.Module:
    """ResNet-50 in small: bottlenecks and projection shortcuts."""
    block = torchvision.models.resnet.Bottleneck
    return torchvision.models.ResNet(block, [1, 1, 1, 1], num_classes=7, width_per_group=4, groups=2)


def densenet() -> nn.Module:
    """DenseNet-121 in small."""
    return torchvision.models.DenseNet(growth_rate=4, block_config=(2, 2), num_init_features=8, num_classes=7)
