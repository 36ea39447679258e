"""Small variants of the paper's networks and of later ones, for `--arch tests.networks:NAME`; images of 32 × 32."""

import torch
import torchvision
from torch import nn
from torchvision.models import convnext as cn
from torchvision.models import efficientnet as en
from torchvision.models import maxvit as mv
from torchvision.models import mobilenetv3 as mn
from torchvision.models import swin_transformer as sw


def vgg() -> nn.Module:
    """VGG-16 in small: the same kinds of layers in the same order, dropout too."""
    return _vgg(batch_norm=False)


def vgg_bn() -> nn.Module:
    """VGG-16-BN in small, likewise."""
    return _vgg(batch_norm=True)


def resnet() -> nn.Module:
    """ResNet-50 in small: bottlenecks and projection shortcuts."""
    return torchvision.models.ResNet(_Bottleneck, [2, 1, 1, 1], num_classes=7, width_per_group=4, groups=2)


def densenet() -> nn.Module:
    """DenseNet-121 in small."""
    return torchvision.models.DenseNet(growth_rate=4, block_config=(2, 2), num_init_features=8, num_classes=7)


def convnext() -> nn.Module:
    """ConvNeXt in small: depthwise convolutions, layer normalisation, layer scales, stochastic depth."""
    stages = [cn.CNBlockConfig(8, 16, 1), cn.CNBlockConfig(16, None, 2)]
    return torchvision.models.ConvNeXt(stages, stochastic_depth_prob=0.2, num_classes=7)


def efficientnet() -> nn.Module:
    """EfficientNet in small: squeeze and excitation, stochastic depth, dropout."""
    stages = [en.MBConvConfig(1, 3, 1, 8, 8, 2, 1.0, 1.0), en.MBConvConfig(4, 5, 2, 8, 16, 1, 1.0, 1.0)]
    return torchvision.models.EfficientNet(stages, dropout=0.2, num_classes=7, last_channel=32)


def mobilenet() -> nn.Module:
    """MobileNetV3 in small: hard swish, and a hidden layer with dropout before the head."""
    stages = [
        mn.InvertedResidualConfig(8, 3, 16, 8, True, "RE", 2, 1, 1.0),
        mn.InvertedResidualConfig(8, 5, 24, 16, True, "HS", 2, 1, 1.0),
    ]
    return torchvision.models.MobileNetV3(stages, last_channel=32, num_classes=7)


def vit() -> nn.Module:
    """ViT-B/16 in small: attention with one weight for its three projections, a class token, position embeddings."""
    return torchvision.models.VisionTransformer(
        image_size=32, patch_size=16, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, dropout=0.1, num_classes=7
    )


def swin() -> nn.Module:
    """Swin in small: attention of linear layers, a table of position biases and its integer index."""
    return torchvision.models.SwinTransformer([4, 4], 8, [2, 2], [1, 2], [4, 4], num_classes=7)


def swin_v2() -> nn.Module:
    """Swin V2 in small: position biases from a network of linear layers."""
    return torchvision.models.SwinTransformer(
        [4, 4], 8, [2, 2], [1, 2], [4, 4], num_classes=7, block=sw.SwinTransformerBlockV2,
        downsample_layer=sw.PatchMergingV2,
    )  # fmt: skip


def maxvit() -> nn.Module:
    """MaxVit in small; its head has no bias."""
    return mv.MaxVit((32, 32), 8, 4, [8, 16], [1, 1], 4, stochastic_depth_prob=0.1, num_classes=7)


class _Bottleneck(torchvision.models.resnet.Bottleneck):
    expansion = 1  # 4 in ResNet-50, whose last stage then has 2048 channels


def _vgg(batch_norm: bool) -> nn.Module:
    features = torchvision.models.vgg.make_layers([8, "M", 16, "M", 16, "M"], batch_norm=batch_norm)
    with torch.device("meta"):  # its own classifier has 120 million weights, which make room for small ones
        network = torchvision.models.VGG(features, num_classes=7, init_weights=True, dropout=0.2)
    network.avgpool = nn.AdaptiveAvgPool2d(1)
    network.classifier[0] = nn.Linear(16, 24)
    network.classifier[3] = nn.Linear(24, 24)
    network.classifier[6] = nn.Linear(24, 7)
    return network
