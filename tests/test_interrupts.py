"""Ctrl-C before the training begins: a sentence and exit status 130, at imports and while data are generated."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LARGE = ["data.n_trajectories={train: 4000, valid: 2, test: 2}", "evaluate=false"]


def imports_torch(process, folder) -> bool:
    return "libtorch" in Path(f"/proc/{process.pid}/maps").read_text()


def generates(process, folder) -> bool:
    return any(folder.glob("datasets/ks/*"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("begun", [imports_torch, generates])
def test_ctrl_c_before_the_training(tmp_path, begun):
    process = subprocess.Popen(
        [sys.executable, "-m", "pdekit.train", "model=mean", "data=ks", *LARGE],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "PDEKIT_DATA": str(tmp_path / "datasets")},
        start_new_session=True,
    )
    try:
        until = time.monotonic() + 60
        while not begun(process, tmp_path) and time.monotonic() < until:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    # a shell reports 130 for both: Python ends itself by the signal if an extension was interrupted in its import
    assert process.returncode in (130, -signal.SIGINT)
    assert err.endswith("stopped; the same command starts again, and keeps what is generated\n")
    assert "Traceback" not in err and not (tmp_path / "runs").exists()
