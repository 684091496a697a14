"""Settings of the machine, each checked by its effect in a process of its own."""

import json
import os
import platform
import subprocess
import sys

import pytest

from pdekit import machine

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")

# page faults of twenty 64 MiB buffers, each filled and freed; the first ones may fault their pages in
FAULTS = """
import resource, sys
from pdekit import machine
if sys.argv[1] == "tuned":
    assert machine.tune_allocator()
def fill():
    return bytearray(64 << 20)
for _ in range(2):
    fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    buffer = fill()
    buffer[::4096] = b"1" * len(buffer[::4096])
    del buffer
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def run(code: str, *args: str, **environment: str) -> str:
    env = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | environment
    done = subprocess.run([sys.executable, "-c", code, *args], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@glibc
def test_large_buffers_are_reused_and_not_faulted_in_again():
    pages = 20 * (64 << 20) // os.sysconf("SC_PAGE_SIZE")
    default, tuned = int(run(FAULTS, "default")), int(run(FAULTS, "tuned"))
    assert tuned < 0.01 * pages
    assert default > 10 * max(tuned, 1)


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_other_systems_are_left_alone(monkeypatch, system):
    monkeypatch.setattr(sys, "platform", system)
    assert machine.tune_allocator() is False


def test_a_c_library_without_mallopt_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(machine.ctypes, "CDLL", lambda name: object())
    assert machine.tune_allocator() is False


def test_a_refused_setting_is_reported(monkeypatch):
    asked = []

    class Libc:
        def mallopt(self, name, value):
            asked.append(name)
            return int(name != machine.M_MMAP_THRESHOLD)

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(machine.ctypes, "CDLL", lambda name: Libc())
    assert machine.tune_allocator() is False
    assert len(asked) == 3, "a refused setting must not keep the others from being made"


def test_prepare_sets_the_policy_and_imports_no_torch():
    code = "import os, sys; from pdekit.machine import prepare; prepare(); "
    code += "print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    assert run(code) == "passive False"


def test_a_policy_of_the_user_is_kept():
    code = "import os; from pdekit.machine import prepare; prepare(); print(os.environ['OMP_WAIT_POLICY'])"
    assert run(code, OMP_WAIT_POLICY="active") == "active"


def test_the_policy_comes_too_late_after_torch(monkeypatch):
    import torch  # noqa: F401

    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    assert machine.set_threads_policy() is False


def test_description_is_complete_and_can_be_stored():
    import torch

    found = machine.describe_machine()
    assert json.loads(json.dumps(found)) == found
    assert found["torch_threads"] == torch.get_num_threads() == 1
    assert 1 <= found["cores"] <= os.cpu_count()
    assert found["python"] == sys.version.split()[0]
    assert (found["gpu"] is None) == (not torch.cuda.is_available())
    assert found["cpu"] and found["memory_gib"] > 0.1
