"""A sweep goes on after a job that fails, and ends with a table and an exit status."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pdekit.cli.sweep import DONE, FAILED, Job, Sweep

SCRIPT = """
import hydra
from pdekit.cli.sweep import Sweep
sweep = Sweep()
@hydra.main(config_path=None, version_base="1.3")
def job(config):
    def work():
        if config.a == 1:
            raise FloatingPointError("expected a finite loss, found nan; lower the rate")
        return f"run-{config.a}"
    sweep.do(work)
try:
    job()
finally:
    sweep.end()
"""


def test_the_table_names_every_job(capsys):
    sweep = Sweep()
    sweep.end()
    assert capsys.readouterr().out == ""
    sweep.jobs += [Job("seed=0", DONE, "runs/a"), Job("seed=1", FAILED, "expected a")]
    with pytest.raises(SystemExit) as stop:
        sweep.end()
    assert stop.value.code == 1
    out = capsys.readouterr().out
    assert "2 jobs, 1 failed" in out and "seed=0  done    runs/a" in out and "seed=1  failed  expected a" in out


def test_a_sweep_goes_on_after_a_failure(tmp_path):
    (tmp_path / "job.py").write_text(SCRIPT)
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "job.py", "-m", "+a=0,1,2"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert "3 jobs, 1 failed" in done.stdout and "run-2" in done.stdout
    assert "expected a finite loss" in done.stderr and "Traceback" not in done.stderr
