"""What a network must offer to be trained, and what training minimises."""

from collections.abc import Callable, Container
from typing import Protocol

from torch import Tensor, nn

from packnet_core.training.evaluate import Evaluable

Objective = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # from a batch's images and labels to loss and logits


class Trainable(Evaluable, Protocol):
    """What training needs of a network with owners: a PackedNetwork, or a baseline's own class."""

    model: nn.Module
    weights: dict[str, nn.Parameter]  # of which only the open task's may change
    owners: dict[str, Tensor]

    def train_mode(self, only: Container[str] | None = None) -> list[nn.Parameter]:
        """Make the model ready for training. Returns the parameters to train."""

    def trained_rest(self, only: Container[str] | None = None) -> dict[str, Tensor]:
        """The tensors beside the weights that training changes, by name."""

    def restore_buffers(self) -> None:
        """Undo what a step did to the buffers of older tasks."""

    def end_phase(self, dense: bool = False) -> None:
        """Check what was trained, and keep it."""
