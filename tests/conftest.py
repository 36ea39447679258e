"""Two threads at most, so that tests run side by side and give the same figures everywhere."""

import os
import signal

from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines are shared
settings.load_profile("untimed")


def pytest_xdist_auto_num_workers(config):
    """All tests take two processes; a few that are named, and the benchmarks, run in this one."""
    return 2 if config.args == config.getini("testpaths") else 0


# where tests run in the background of a shell without job control, Ctrl-C is ignored by all that they start
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and a hang-up, under nohup
