"""Peak memory of training VGG-16, in its own process: `python -m tests.benchmarks.peak_memory plain|packed` prints it.

Three steps with the paper's momentum, batch 4 at 64 px. `packed SHARE` trains the second task; the first is sealed and
owns that share of the weights. Printed are bytes, and the number of prunable weights.
"""

import sys

import torch

from packnet_core.data.images import Images
from packnet_core.network import architectures
from packnet_core.schema.document import Input
from packnet_core.schema.recipes import Recipe
from packnet_core.training.run import TrainingRun
from tests.benchmarks.made_networks import second_task
from tests.benchmarks.measure import peak_bytes

SIZE, BATCH, STEPS = 64, 4, 3


def plain() -> int:
    """torch's own loop. Returns the number of prunable weights."""
    model = architectures.build("vgg16", channels=3)
    head = architectures.find_head(model)
    given = model.get_submodule(head)
    assert isinstance(given, torch.nn.Linear)
    model.set_submodule(head, torch.nn.Linear(given.in_features, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, fused=True)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(torch.randn(BATCH, 3, SIZE, SIZE)), torch.zeros(BATCH).long())
        loss.backward()
        optimizer.step()
    return sum(p.numel() for name, p in model.named_parameters() if p.dim() > 1 and not name.startswith(head))


def packed(sealed: float) -> int:
    """The product's loop. Returns the number of prunable weights."""
    network = second_task("vgg16", sealed, torch.device("cpu"))
    pixels = torch.zeros(BATCH * STEPS, 3, SIZE, SIZE, dtype=torch.uint8)
    rows, labels = torch.arange(len(pixels)), torch.zeros(len(pixels)).long()
    given = Input(channels=3, size=SIZE, mean=(0.5,) * 3, std=(0.5,) * 3)
    images, none = Images(pixels, rows, labels, given), Images(pixels, rows[:0], labels[:0], given)
    recipe = Recipe(batch_size=BATCH, epochs=1)
    for _ in TrainingRun(network, "second", "train", recipe, images, none).events():
        pass
    return sum(weight.numel() for weight in network.weights.values())


if __name__ == "__main__":
    torch.set_num_threads(2)
    weights = plain() if sys.argv[1] == "plain" else packed(float(sys.argv[2]))
    print(peak_bytes(), weights)
