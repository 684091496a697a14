"""The tests of `on_pretend_device.py`, in a process of their own.

torch fixes the devices of automatic differentiation at the first gradient of a process, and a device that is
registered later is refused.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_everything_runs_on_a_device_that_refuses_to_mix():
    options = ["-q", "-p", "no:cacheprovider", "-m", "slow or not slow"]
    command = [sys.executable, "-m", "pytest", *options, "tests/on_pretend_device.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout[-5000:] + done.stderr[-2000:]
