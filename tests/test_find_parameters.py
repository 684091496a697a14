"""docs/find_parameters.md, followed to the letter in an empty folder."""

import json
import re

import pytest
import torch

from tests.pages import commands, in_this_process, page

TEXT = page("find_parameters")
QUICK = "evaluation=quick"
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
def test_the_command_works_and_python_finds_the_parameter(tmp_path, monkeypatch):
    """The command with fewer steps; the same options in Python to the end.

    Bars: three standard deviations, of which one is below 2 %.
    """
    monkeypatch.chdir(tmp_path)
    exec(FILE, {})
    (words,) = commands("find_parameters")
    few = ["training.steps=3", "model.second.steps=1", "evaluate=false"]
    replaced = [word for word in words if word.partition("=")[0] not in {option.partition("=")[0] for option in few}]
    in_this_process(monkeypatch, tmp_path, *replaced, *few)
    (run,) = (tmp_path / "runs").iterdir()
    names: dict = {}
    exec(IN_PYTHON, names)
    assert {*names["options"], "model=pinn_inverse", "data=burgers"} == {*words[1:], "evaluate=false"} - {QUICK}
    (found,), (deviation,) = names["found"].values, names["found"].deviations
    assert abs(found - 0.02) < 3 * deviation < 0.06 * 0.02
    for folder in (run, names["run"].path):
        stored = json.loads((folder / "parameters.json").read_text())["parameters"]["viscosity"]
        assert stored["value"] > 0 and stored["standard_deviation"] > 0
    assert stored["value"] == pytest.approx(found, rel=1e-3)


@pytest.mark.slow
def test_the_experiment_works_as_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(OWN, names)
    found = names["model"].estimate()
    assert abs(found.values[0] - 0.3) < 3 * found.deviations[0] < 0.1 * 0.3
    assert isinstance(found.points, torch.Tensor) and len(found.points) == 100
