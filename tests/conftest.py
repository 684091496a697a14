"""Settings of every test: one thread (some tests ran 40 times faster), a seed, no chance in hypothesis.

Collection makes millions of objects that stay until the end. Python's garbage collector visits all of them again and
again; it is off during collection, which saves a fifth of its time, and ignores these objects afterwards.
"""

import gc
import os
from importlib import import_module

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from hypothesis import settings

from tests import type_checker

gc.disable()
torch.set_num_threads(1)
type_checker.install()

# the same examples in every run, and no clock: a loaded machine must not fail a test
settings.register_profile("pdekit", derandomize=True, deadline=None, database=None)
settings.load_profile("pdekit")


def pytest_collection_modifyitems(items):
    """Files with slow tests come first, those of whole commands before all, so that no process waits at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, len(item.path.parts)))


def pytest_collection_finish():
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


@pytest.fixture(autouse=True)
def seed():
    """Seed what exists: `torch.manual_seed` also queues a call with its traceback for each kind of absent device."""
    torch.default_generator.manual_seed(0)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(0)


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
