"""docs/get_started.md, followed in an empty folder: every command as it is written, but for the number of steps."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STEPS = "training.steps=300"
BLOCKS = re.findall(r"```(bash|python)\n(.*?)```", (ROOT / "docs" / "get_started.md").read_text(), re.DOTALL)


@pytest.mark.slow
def test_the_page_works_as_it_is_written(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PDEKIT_DATA"}
    environment |= {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    assert sum(text.count(STEPS) for _, text in BLOCKS) == 2
    for language, written in BLOCKS:
        text = written.replace(STEPS, "training.steps=20")
        command = ["bash", "-c", text] if language == "bash" else [sys.executable, "-c", text]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, text + done.stderr
    assert [language for language, _ in BLOCKS] == ["bash", "bash", "python", "bash"]
    (fno,) = tmp_path.glob("runs/*-fno-ks")
    assert (tmp_path / "coarse" / "scores.nc").exists()
    written = {path.name for path in fno.iterdir()}
    assert {"report.html", "config.yaml", "weights.safetensors", "metrics.csv", "provenance.json"} <= written
    assert {"scores.nc", "forecasts.nc"} <= written
    assert list((tmp_path / "comparison").glob("*.html"))
