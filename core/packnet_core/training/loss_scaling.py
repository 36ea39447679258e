"""Loss scaling for half precision (fp16), in which small gradients would become 0.

The rule is that of torch.amp.GradScaler. That class steps a `torch.optim` optimizer; GuardedOptimizer steps in chunks,
so it needs only the rule.
"""

from dataclasses import dataclass

INITIAL_FACTOR, GROWTH, BACKOFF, GROWTH_INTERVAL = 2.0**16, 2.0, 0.5, 2000


@dataclass
class LossScaling:
    """The factor of the loss. It doubles after GROWTH_INTERVAL steps with finite gradients, and is halved otherwise."""

    factor: float = 1.0  # 1: no scaling
    good_steps: int = 0  # since the factor last changed

    def grow(self) -> None:
        """Count a step with finite gradients."""
        self.good_steps += 1
        if self.factor != 1.0 and self.good_steps == GROWTH_INTERVAL:
            self.factor, self.good_steps = self.factor * GROWTH, 0

    def back_off(self) -> None:
        """Count a step that was skipped because its gradients were not finite."""
        self.factor, self.good_steps = self.factor * BACKOFF, 0
