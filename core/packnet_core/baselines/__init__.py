"""What the paper compares with (§4, Baselines; §5.5): the other ways of adding tasks to a trained network.

All use the loop, the data, the seeds and the evaluation of PackNet itself. Each begins with a copy of a network, so
that no pack file is touched, and is a generator of events; every Evaluated in it is a result.
"""

from packnet_core.baselines.alone import classifier_only, individual
from packnet_core.baselines.ewc import ewc
from packnet_core.baselines.joint import joint
from packnet_core.baselines.lwf import add as lwf_add
from packnet_core.baselines.lwf import lwf
from packnet_core.baselines.shared import Shared, TaskOf, first_network

__all__ = ["Shared", "TaskOf", "classifier_only", "ewc", "first_network", "individual", "joint", "lwf", "lwf_add"]
