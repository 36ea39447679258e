"""The paper's baselines (§4; §5.5): other methods of adding tasks to a trained network, as generators of events.

All use PackNet's training loop, data, seeds and evaluation, on a copy of a network.

Never here: changes to pack files.
"""

from packnet_core.baselines.alone import classifier_only, individual
from packnet_core.baselines.ewc import ewc
from packnet_core.baselines.joint import joint
from packnet_core.baselines.lwf import lwf
from packnet_core.baselines.multi_head import MultiHeadNetwork, NewTask, first_network

__all__ = [
    "MultiHeadNetwork",
    "NewTask",
    "classifier_only",
    "ewc",
    "first_network",
    "individual",
    "joint",
    "lwf",
]
