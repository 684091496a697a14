"""Settings of every test: one thread (some tests ran 40 times faster), a seed, no chance in hypothesis."""

import os
from importlib import import_module

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from hypothesis import settings

from tests import type_checker

torch.set_num_threads(1)
type_checker.install()

# the same examples in every run, and no clock: a loaded machine must not fail a test
settings.register_profile("pdekit", derandomize=True, deadline=None, database=None)
settings.load_profile("pdekit")


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def first_look():
    """No child process looks at each HDF5 file first, which takes 0.15 s; return what does, for tests of it."""
    probe = import_module("pdekit.data.probe")  # after pytest has installed the checks of types
    look = probe._walked
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(probe, "_walked", lambda paths: "")
        yield look


@pytest.fixture
def child_process(first_look, monkeypatch):
    """Files are looked at in a child process first, as users have it."""
    monkeypatch.setattr("pdekit.data.probe._walked", first_look)
