"""Settings of every test: one thread (some tests ran 40 times faster), a seed, no chance in hypothesis."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)

# the same examples in every run, and no clock: a loaded machine must not fail a test
settings.register_profile("pdekit", derandomize=True, deadline=None, database=None)
settings.load_profile("pdekit")


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)
