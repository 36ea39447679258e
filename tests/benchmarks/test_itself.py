"""The ratio of a thing to itself should be one: it shows how far to trust the others."""

import torch


def test_the_measure_itself(compare):
    numbers = torch.zeros(1 << 20)
    compare(lambda: numbers.add_(1), lambda: numbers.add_(1), rounds=9)
