"""Settings of all tests: one thread per process, no time limits of hypothesis, two test processes, a
state folder of their own, usual signals."""

import atexit
import os
import shutil
import signal
import tempfile

from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
if "PYTEST_XDIST_WORKER" not in os.environ:  # its processes inherit it: what a test trusts stays in the tests
    os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="packnet-state-")
    atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)
settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # shared machines are slow
settings.load_profile("untimed")


def pytest_xdist_auto_num_workers(config):
    """The whole suite runs in three processes, since many tests wait for others or for a terminal.

    Tests named on the command line, and benchmarks, run in one.
    """
    return 3 if config.args == config.getini("testpaths") else 0


# child processes inherit ignored signals: SIGINT from a background shell, SIGHUP from nohup
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
