"""How filters are ranked, against ranks computed by hand (§5.5)."""

import math

import pytest
import torch
from torch import nn

from packnet_core.baselines.filter_chain import find_chain
from packnet_core.baselines.filter_ranking import Ranking, lowest
from packnet_core.errors import Diverged
from packnet_core.training.loss_scaling import LossScaling


@pytest.mark.parametrize("inplace", [False, True])
def test_the_rank_is_the_one_computed_by_hand(inplace):
    """Two 1×1 filters of weights 1 and -1 on images of 1×2; the loss is s·v·z, z being what ReLU lets through.

    v = (1, -1) for the first filter's two pixels, (4, 5) for the second's. Image A = (1, 3) with s = 1, B = (-2, 4)
    with s = -1; the gradient of an image's own loss is s·v.
    - first filter: A: z = (1, 3), |mean(1·1, 3·-1)| = 1; B: z = (0, 4), |mean(0·-1, 4·1)| = 2
    - second: A: z = (0, 0), 0; B: z = (2, 0), |mean(2·-4, 0)| = 4
    A batch of A and B, and then one of B alone: sums 1 + 2 + 2 = 5 and 0 + 4 + 4 = 8, divided by √(25 + 64).
    """
    model = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(inplace), nn.Flatten(), nn.Linear(4, 1, bias=False))
    model[0].weight.data[:] = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1)
    model[3].weight.data[:] = torch.tensor([1.0, -1.0, 4.0, 5.0])
    a, b = torch.tensor([[1.0, 3.0], [-2.0, 4.0]]).view(2, 1, 1, 2)
    ranking = Ranking(find_chain(model, "3")[:-1])
    with ranking.collecting():
        (torch.tensor([[1.0], [-1.0]]) * model(torch.stack([a, b]))).mean().backward()
        (-model(b[None])).mean().backward()
    (-model(b[None])).mean().backward()  # not collected
    torch.testing.assert_close(ranking.ranks(), [torch.tensor([5.0, 8.0]) / math.sqrt(89)])


def test_ranks_are_those_of_the_loss_before_it_is_scaled():
    """In half precision the loss is multiplied; a step whose gradients overflow does not count."""

    def ranks(factor: float, *, overflow: bool) -> list[torch.Tensor]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
        ranking, scaling = Ranking(find_chain(model, "2")[:-1]), LossScaling(factor)
        with ranking.collecting(scaling):
            for images in (torch.randn(6, 2), torch.randn(6, 2)):
                (model(images).mean() * scaling.factor).backward()
                if overflow:
                    (model(images).mean() * math.inf).backward()
                scaling.factor *= factor
        return ranking.ranks()

    torch.testing.assert_close(ranks(4.0, overflow=True), ranks(1.0, overflow=False))


def test_a_rank_that_is_nan_is_refused():
    model = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    ranking = Ranking(find_chain(model, "2")[:-1])
    with ranking.collecting():
        (model(torch.full((1, 1), math.nan))).sum().backward()
    with pytest.raises(Diverged, match="gradients of 0 are NaN"):
        ranking.ranks()


def test_the_lowest_of_all_layers_are_chosen_and_one_of_each_layer_is_kept():
    ranks = [torch.tensor([0.1, 0.2]), torch.tensor([0.05, 0.3, 0.01, 0.0])]
    freed = [torch.tensor([False, False]), torch.tensor([False, False, False, True])]
    assert [c.tolist() for c in lowest(ranks, freed, 2)] == [[False, False], [True, False, True, False]]
    for count in (3, 10):
        assert [c.tolist() for c in lowest(ranks, freed, count)] == [[True, False], [True, False, True, False]]
    assert not any(bool(c.any()) for c in lowest(ranks, freed, -1))
