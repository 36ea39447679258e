"""Two threads at most, so that tests run side by side and give the same figures everywhere."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
