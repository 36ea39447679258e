"""Two threads at most, so that tests run side by side and give the same figures everywhere."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_xdist_auto_num_workers(config):
    """All tests take two processes; a few that are named, and the benchmarks, run in this one."""
    return 2 if config.args == config.getini("testpaths") else 0
