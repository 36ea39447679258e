"""Drive an operation through faults: count its calls once, then do it again with one call failing, or killed there."""

import os
import signal

from tests.faults.disks import World
from tests.faults.inject import KILLED, Boundary, Call, Dies, Fault
from tests.faults.operations import Operation, Outcome

PATIENCE = 120  # seconds for one operation


def counted(world: World, operation: Operation) -> list[Call]:
    """All calls of an undisturbed operation, in order."""
    operation.undisturbed(world)
    world.begin(operation.stage)
    with Boundary(*world.disks) as boundary:
        assert not operation.do(world).error
    return boundary.calls


def failed(world: World, operation: Operation, call: Call, fault: Fault) -> tuple[bool, str]:
    """Do an operation with a call failing, then what is left. Returns whether the call came, and what is wrong."""
    world.begin(operation.stage)
    outcome: Outcome | None = None
    with Boundary(*world.disks, at=call, fault=fault) as boundary:
        try:
            outcome = operation.do(world)
        except KeyboardInterrupt:
            outcome = None
        except Exception as error:
            return True, f"{type(error).__name__} reached the user: {error}"
    return boundary.met, operation.check(world, outcome)


def killed(world: World, operation: Operation, call: Call, death: Dies) -> tuple[bool, str]:
    """Do an operation in a process that dies around a call, then what is left. Returns what `failed` returns."""
    world.begin(operation.stage)
    child = os.fork()
    if not child:
        signal.alarm(PATIENCE)
        try:
            with Boundary(*world.disks, at=call, fault=death):
                operation.do(world)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True, f"its process was ended by signal {os.WTERMSIG(status)}"
    return os.WEXITSTATUS(status) == KILLED, operation.check(world, None)
