"""Loss scaling for half precision (fp16), whose small gradients would be 0: torch.amp.GradScaler's rule.

That class drives a `torch.optim` optimizer; ours steps in blocks (guard.py), so the rule is kept here by itself.
"""

from dataclasses import dataclass

BEGIN, GROWTH, BACKOFF, PATIENCE = 2.0**16, 2.0, 0.5, 2000


@dataclass
class Scaling:
    """What the loss is multiplied by. Grows after PATIENCE steps whose gradients were finite, and is halved else."""

    factor: float = 1.0  # 1: no scaling
    good: int = 0  # steps since it was changed

    def grow(self) -> None:
        """Gradients were finite."""
        self.good += 1
        if self.factor != 1.0 and self.good == PATIENCE:
            self.factor, self.good = self.factor * GROWTH, 0

    def back_off(self) -> None:
        """Gradients were not: the step is left out."""
        self.factor, self.good = self.factor * BACKOFF, 0
