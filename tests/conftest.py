"""Settings of all tests: one thread per process, no time limits of hypothesis, two test processes, usual signals."""

import os
import signal

from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # shared machines are slow
settings.load_profile("untimed")


def pytest_xdist_auto_num_workers(config):
    """The whole suite runs in two processes; tests named on the command line, and benchmarks, run in one."""
    return 2 if config.args == config.getini("testpaths") else 0


# child processes inherit ignored signals: SIGINT from a background shell, SIGHUP from nohup
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
