"""A table of which of torchvision's classification models pack, each tried with two tasks on tiny inputs.

    python docs/experiments/which_models_pack.py            # writes docs/models.md; some minutes, 8 GB
    python docs/experiments/which_models_pack.py resnet18   # prints the rows of some

A model packs if the first task keeps its digest and its answers, to the bit, after this: open a task, train one step,
prune by half, open a second task, train one step (with weight decay, which moves every weight that is not guarded).
"""

import sys
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import list_models

from packnet_core.errors import Diverged, PacknetError, RequestError
from packnet_core.network import architectures
from packnet_core.network.packed import PackedNetwork
from packnet_core.training.guarded_optimizer import GuardedOptimizer

SIZES = (32, 64, 96, 128, 224)
CLASSES = 5
TABLE = Path(__file__).parents[1] / "models.md"


def row(name: str) -> str:
    """A model's row of the table."""
    torch.manual_seed(0)
    model = architectures.build(name, classes=CLASSES)
    try:
        network = PackedNetwork(model, architectures.find_head(model))
    except RequestError as error:
        return f"| {name} | | | | no: {error} |"
    packable = sum(weight.numel() for weight in network.weights.values())
    share = packable / (packable + sum(tensor.numel() for tensor in network.rest.values()))
    size = smallest_input(model)
    begun = f"| {name} | {packable / 1e6:.1f} M | {100 * share:.2f} % |"
    if size is None:
        return f"{begun} | no: it takes no images of {', '.join(map(str, SIZES))} |"
    return f"{begun} {size} | {verdict(network, torch.randn(2, 3, size, size))} |"


def smallest_input(model: nn.Module) -> int | None:
    """The first of `SIZES` at which two images give two answers, in evaluation and in training."""
    for size in SIZES:
        try:
            with torch.no_grad():
                x = torch.randn(2, 3, size, size)
                if all(model.train(training)(x).shape == (2, CLASSES) for training in (False, True)):
                    return size
        except (RuntimeError, ValueError, AssertionError):
            continue
    return None


def verdict(network: PackedNetwork, images: Tensor) -> str:
    """Whether a network packs: "yes", or "no" and the reason."""
    try:
        network.open_task(CLASSES)
        step(network, images)
        freed = network.prune(dict.fromkeys(network.weights, 0.5))
        network.end_phase()
        before = first_task(network, images)
        network.open_task(CLASSES)
        step(network, images)
        same = first_task(network, images) == before
    except PacknetError as error:
        return f"no: {error}"
    moved = any(bool(weight.detach()[network.owners[name] == 2].any()) for name, weight in network.weights.items())
    if not freed or not moved:
        return "no: nothing was freed, or nothing learnt with it"
    return "yes" if same else "no: its first task changed"


def step(network: PackedNetwork, images: Tensor) -> None:
    """One step of the open task. Frees its optimizer and gradients, to save memory."""
    others = network.train_mode()
    pairs = [(weight, network.owners[name]) for name, weight in network.weights.items()]
    optimizer = GuardedOptimizer(
        lambda parameters: torch.optim.SGD(parameters, lr=1e-4, weight_decay=0.1), pairs, others, network.open
    )
    F.cross_entropy(network.model(images), torch.arange(len(images))).backward()
    # two tiny images through normalisation and random weights give gradients of any size
    nn.utils.clip_grad_norm_(network.model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


def first_task(network: PackedNetwork, images: Tensor) -> tuple[str, bytes]:
    """Digest and answers of the first task."""
    with network.viewing(1) as model, torch.inference_mode():
        answers = model(images)
    if not bool(answers.isfinite().all()):
        raise Diverged("its answers are not finite")
    return network.task_digest(1, [network.weights_digest(1)]), answers.numpy().tobytes()


TEXT = f"""# Which networks pack

See which networks can hold several tasks. All of torchvision's classification models
({torchvision.__version__.split("+")[0]}) were tried by `python docs/experiments/which_models_pack.py`: two tasks of
five classes, random weights and images, one training step each with weight decay, the first task pruned by half.
*Packs* means that the first task kept its digest and gave the same answers, to the bit, after the second was trained.

*Packable* counts the weights of convolutions, linear layers and attention projections, without the head; *share* is
their share of all values without the head, including running statistics. *Input* is the smallest of
{", ".join(map(str, SIZES))} pixels (`--input-size`) that the model takes as torchvision builds it; ViT and MaxVit take
no other.

A task's head replaces the last linear layer and always has a bias (MaxVit's own has none). SqueezeNet ends in a
convolution and is refused. GoogLeNet and Inception are built without their auxiliary classifiers.

Other networks: `cifar_resnet20` and other depths, `cifar_vgg`, `digits_net`, and your own functions
(`--arch module:function`) whose network ends in a linear layer. Recurrent and bilinear layers, and weights computed
from others (weight or spectral normalisation), are refused by the layer's name.

| model | packable | share | input | packs |
| --- | --- | --- | --- | --- |
"""


if __name__ == "__main__":
    names = sys.argv[1:] or list_models(module=torchvision.models)
    rows = []
    for name in names:
        rows.append(row(name))
        print(rows[-1], flush=True)
    if not sys.argv[1:]:
        TABLE.write_text(TEXT + "\n".join(rows) + "\n")
