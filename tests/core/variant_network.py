"""A network with a convolution, batch normalisation and a linear layer, all with biases, for tests."""

from torch import nn


def build() -> nn.Module:
    return _Network()


class _Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2)
        self.bn = nn.BatchNorm2d(8)
        self.hidden = nn.Linear(8 * 7 * 7, 20)
        self.head = nn.Linear(20, 2)

    def forward(self, images):
        seen = self.bn(self.conv(images)).relu().flatten(1)
        return self.head(self.hidden(seen).relu())
