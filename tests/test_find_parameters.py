"""docs/find_parameters.md, followed to the letter in an empty folder."""

import json
import re

import pytest
import torch

from tests.pages import commands, in_this_process, page

TEXT = page("find_parameters")
FILE, IN_PYTHON, OWN = re.findall(r"```python\n(.*?)\n```", TEXT, re.DOTALL)


def test_the_page_says_what_is_printed():
    """Its output has the form of the sentences of a run."""
    (said,) = re.findall(r"```\n(viscosity .*?)\n```", TEXT, re.DOTALL)
    assert re.fullmatch(
        r"viscosity [\d.]+ \+- [\d.]+ \(one standard deviation, Gauss-Newton\)\n"
        r"misfit of u [\d.]+ \(root mean square\), noise [\d.]+ estimated",
        said,
    )


@pytest.mark.slow
def test_the_commands_work_as_they_are_written(tmp_path, monkeypatch):
    """Bars: three standard deviations, of which one is below 2 %."""
    monkeypatch.chdir(tmp_path)
    exec(FILE, {})
    (words,) = commands("find_parameters")
    in_this_process(monkeypatch, tmp_path, *words, "evaluate=false")
    (run,) = (tmp_path / "runs").iterdir()
    found = json.loads((run / "parameters.json").read_text())["parameters"]["viscosity"]
    assert abs(found["value"] - 0.02) < 3 * found["standard_deviation"] < 0.06 * 0.02
    names: dict = {}
    exec(IN_PYTHON, names)
    assert names["found"].values[0] == pytest.approx(found["value"], rel=1e-3)


@pytest.mark.slow
def test_the_experiment_works_as_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(OWN, names)
    found = names["model"].estimate()
    assert abs(found.values[0] - 0.3) < 3 * found.deviations[0] < 0.1 * 0.3
    assert isinstance(found.points, torch.Tensor) and len(found.points) == 100
