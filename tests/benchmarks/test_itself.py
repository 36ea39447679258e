"""That the ratio of a thing to itself is one: how much to trust the others."""

import torch


def test_the_measure_itself(compare):
    numbers = torch.zeros(1 << 20)
    compare(lambda: numbers.add_(1), lambda: numbers.add_(1), rounds=9)
