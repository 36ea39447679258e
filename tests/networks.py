"""Small networks for `--arch tests.networks:NAME`: small versions of the paper's and of later ones, and two plain ones.

All take images of 3 × 32 × 32, except `toy` (3 × 8 × 8) and `with_biases` (3 × 16 × 16).
"""

import torch
import torchvision
from torch import nn
from torchvision.models import convnext as cn
from torchvision.models import efficientnet as en
from torchvision.models import maxvit as mv
from torchvision.models import mobilenetv3 as mn
from torchvision.models import swin_transformer as sw

from packnet_core.network.packed import PackedNetwork


def toy() -> nn.Module:
    """A convolution, a hidden layer and a head, for images of 3 × 8 × 8."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(128, 16),
        nn.ReLU(),
        nn.Linear(16, 5),
    )


def toy_with_tasks(count: int) -> PackedNetwork:
    """`toy` with tasks of random weights and three classes each."""
    torch.manual_seed(0)
    network = PackedNetwork(toy(), "6")
    for _ in range(count):
        add_task(network)
    return network


def add_task(network: PackedNetwork) -> None:
    """Add a task with random weights, pruned by half."""
    index = network.open_task(3)
    for name, weight in network.weights.items():
        own = network.owners[name] == index
        weight.data[own] = torch.randn(int(own.sum()))
    network.prune(dict.fromkeys(network.weights, 0.5))
    network.end_phase()


def with_biases() -> nn.Module:
    """A convolution, batch normalisation, a hidden layer and a head, all with biases, for images of 3 × 16 × 16."""
    return _WithBiases()


def vgg() -> nn.Module:
    """A small VGG-16: the same kinds of layers in the same order, including dropout."""
    return _vgg(batch_norm=False)


def vgg_bn() -> nn.Module:
    """A small VGG-16-BN, likewise."""
    return _vgg(batch_norm=True)


def resnet() -> nn.Module:
    """A small ResNet-50: bottlenecks and projection shortcuts."""
    return torchvision.models.ResNet(_Bottleneck, [2, 1, 1, 1], num_classes=7, width_per_group=4, groups=2)


def densenet() -> nn.Module:
    """A small DenseNet-121."""
    return torchvision.models.DenseNet(growth_rate=4, block_config=(2, 2), num_init_features=8, num_classes=7)


def convnext() -> nn.Module:
    """A small ConvNeXt: depthwise convolutions, layer normalisation, layer scales, stochastic depth."""
    stages = [cn.CNBlockConfig(8, 16, 1), cn.CNBlockConfig(16, None, 2)]
    return torchvision.models.ConvNeXt(stages, stochastic_depth_prob=0.2, num_classes=7)


def efficientnet() -> nn.Module:
    """A small EfficientNet: squeeze and excitation, stochastic depth, dropout."""
    stages = [en.MBConvConfig(1, 3, 1, 8, 8, 2, 1.0, 1.0), en.MBConvConfig(4, 5, 2, 8, 16, 1, 1.0, 1.0)]
    return torchvision.models.EfficientNet(stages, dropout=0.2, num_classes=7, last_channel=32)


def mobilenet() -> nn.Module:
    """A small MobileNetV3: hard swish, and a hidden layer with dropout before the head."""
    stages = [
        mn.InvertedResidualConfig(8, 3, 16, 8, True, "RE", 2, 1, 1.0),
        mn.InvertedResidualConfig(8, 5, 24, 16, True, "HS", 2, 1, 1.0),
    ]
    return torchvision.models.MobileNetV3(stages, last_channel=32, num_classes=7)


def vit() -> nn.Module:
    """A small ViT-B/16: attention with one weight for its three projections, a class token, position embeddings."""
    return torchvision.models.VisionTransformer(
        image_size=32, patch_size=16, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, dropout=0.1, num_classes=7
    )


def swin() -> nn.Module:
    """A small Swin: attention of linear layers, a table of position biases and its integer index."""
    return torchvision.models.SwinTransformer([4, 4], 8, [2, 2], [1, 2], [4, 4], num_classes=7)


def swin_v2() -> nn.Module:
    """A small Swin V2: position biases from a network of linear layers."""
    return torchvision.models.SwinTransformer(
        [4, 4], 8, [2, 2], [1, 2], [4, 4], num_classes=7, block=sw.SwinTransformerBlockV2,
        downsample_layer=sw.PatchMergingV2,
    )  # fmt: skip


def maxvit() -> nn.Module:
    """A small MaxVit; its head has no bias."""
    return mv.MaxVit((32, 32), 8, 4, [8, 16], [1, 1], 4, stochastic_depth_prob=0.1, num_classes=7)


def tied() -> nn.Module:
    """Two hidden layers with the same weights, and a head without a bias, for images of 3 × 8 × 8."""
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(192, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(),
        nn.Linear(16, 5, bias=False),
    )  # fmt: skip
    network[5].weight = network[3].weight
    return network


def greedy() -> nn.Module:
    """A network that runs out of the device's memory with more than 8 images of 3 × 8 × 8 at once."""
    return nn.Sequential(_Greedy(), nn.Flatten(), nn.Linear(192, 16), nn.ReLU(), nn.Linear(16, 5))


class _Greedy(nn.Module):
    def forward(self, images):
        if len(images) > 8 and self.training:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return images


class _WithBiases(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2)
        self.bn = nn.BatchNorm2d(8)
        self.hidden = nn.Linear(8 * 7 * 7, 20)
        self.head = nn.Linear(20, 2)

    def forward(self, images):
        seen = self.bn(self.conv(images)).relu().flatten(1)
        return self.head(self.hidden(seen).relu())


class _Bottleneck(torchvision.models.resnet.Bottleneck):
    expansion = 1  # 4 in ResNet-50, whose last stage then has 2048 channels


def _vgg(batch_norm: bool) -> nn.Module:
    features = torchvision.models.vgg.make_layers([8, "M", 16, "M", 16, "M"], batch_norm=batch_norm)
    with torch.device("meta"):  # no memory for its classifier of 120 million weights, which is replaced
        network = torchvision.models.VGG(features, num_classes=7, init_weights=True, dropout=0.2)
    network.avgpool = nn.AdaptiveAvgPool2d(1)
    network.classifier[0] = nn.Linear(16, 24)
    network.classifier[3] = nn.Linear(24, 24)
    network.classifier[6] = nn.Linear(24, 7)
    return network
