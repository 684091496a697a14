"""The command that checks a run: its table, its files, its exit status, and its errors."""

import json
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest

import pdekit
from pdekit import check as check_command
from pdekit.report.page import write_report
from pdekit.runs import save_weights
from pdekit.workflows.check_run import check_settings
from tests.entry_points import command, trained_run
from tests.test_evaluate import SMALL


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two training steps, and the folder of its data."""
    folder = tmp_path_factory.mktemp("check")
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield trained_run(monkeypatch, folder, *SMALL)


def status(monkeypatch, *arguments) -> int:
    with pytest.raises(SystemExit) as stop:
        command(monkeypatch, check_command, *arguments)
    return stop.value.code


def test_an_untrained_run_fails_and_says_where(run, tmp_path, monkeypatch, capsys):
    data = f"data_dir={run.parents[1] / 'datasets'}"
    junit = tmp_path / "check.xml"
    arguments = [f"run={run}", "rows=[rest.step,engineering.*,symmetry.*]", "horizon=2", data, f"junit={junit}"]
    assert status(monkeypatch, *arguments) == 1
    said = capsys.readouterr().out
    assert "rest.step" in said and " FAIL, " in said and "check.json" in said
    found = json.loads((run / "check.json").read_text())
    verdicts = {row["row"]: row["verdict"]["verdict"] for row in found["rows"]}
    assert verdicts["rest.step"] == "FAIL" and verdicts["symmetry.shift_x"] == "PASS", "convolutions are built in"
    assert verdicts["engineering.reload"] == verdicts["engineering.batch"] == "PASS"
    suite = ElementTree.parse(junit).getroot()
    assert suite.get("tests") == str(len(verdicts)) and suite.get("failures") == str(
        list(verdicts.values()).count("FAIL")
    )
    assert [case.get("name") for case in suite if case.find("failure") is not None][:1] == ["step"]
    report = (run / "report.html").read_text()
    assert ">Check</h2>" in report and "symmetry.shift_x" in report


def test_in_python_and_with_a_status_of_zero(run, tmp_path, monkeypatch, capsys):
    data = {"data_dir": str(run.parents[1] / "datasets"), "folder": str(tmp_path)}
    found = pdekit.check(pdekit.load(run), rows=["engineering.seed", "symmetry.shift_x"], n_states=2, horizon=1, **data)
    assert found.passed and [one.row for one in found.findings] == ["symmetry.shift_x", "engineering.seed"]
    assert (tmp_path / "check.json").is_file() and "2 PASS, 0 FAIL" in found.table


def test_a_check_in_which_nothing_can_be_asked_has_a_status_of_its_own(run, tmp_path, monkeypatch, capsys):
    data = f"data_dir={run.parents[1] / 'datasets'}"
    assert status(monkeypatch, f"run={run}", "rows=[time.two_steps]", "horizon=1", data, f"folder={tmp_path}") == 3
    assert "expected one row or more that can be asked, found 1" in capsys.readouterr().err


def test_new_weights_remove_the_check_of_those_they_replace_and_no_other(run, tmp_path):
    """A folder without weights holds no check of a run: the file is another's, as `folder=` of a check writes it."""
    found, check = pdekit.load(run), tmp_path / "check.json"
    check.write_text("{}")
    save_weights(tmp_path, found.model, found.name, found.config)
    assert check.read_text() == "{}"
    save_weights(tmp_path, found.model, found.name, found.config)
    assert not check.exists()


@pytest.mark.parametrize(("name", "value"), [("horizon", 2.5), ("n_states", None), ("limit", "much")])
def test_a_setting_that_is_no_number_is_refused(run, name, value):
    with pytest.raises(ValueError, match=f"expected a number for {name}, got {value!r}"):
        pdekit.check(run, **{name: value})


def test_a_rollout_has_a_bound():
    with pytest.raises(ValueError, match="expected long from 1 to 1,000,000, got 1000000000; correct it"):
        check_settings({"long": 10**9})


def test_a_run_with_constraints_is_not_the_one_that_is_stored(run, tmp_path):
    asked = {"n_states": 2, "horizon": 1, "data_dir": str(run.parents[1] / "datasets"), "folder": tmp_path}
    constrained = pdekit.load(run).constrained("zero_mean")
    (found,) = pdekit.check(constrained, rows=["engineering.reload"], device=None, **asked).findings
    assert found.verdict.reason == "the model is not the one in the folder of a run"


@pytest.mark.slow
def test_a_damaged_check_is_a_sentence(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    for text in ("", "[]", "{}", '{"rows": [{"row": "rest.step"}]}'):
        (folder / "check.json").write_text(text)
        with pytest.raises(ValueError, match=r"expected the rows of a check in .*check.json, found a damaged file"):
            write_report(folder)


def test_a_forecast_says_if_its_start_is_like_the_training(run):
    loaded, n = pdekit.load(run), 32
    u0 = np.sin(np.arange(n) * np.pi / 8) - np.sin(np.arange(n) * np.pi / 8).mean()
    scale = json.loads((run / "domain.json").read_text())["ranges"]["deviation of u"][0] / u0.std()
    assert loaded.forecast(1.001 * scale * u0, [0.8]).attrs["domain"] == "inside the training range"
    with pytest.warns(UserWarning, match="outside the training range: deviation of u"):
        assert loaded.forecast(50 * u0, [0.8]).attrs["domain"].startswith("outside")


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("rows=[rest.stop]", "expected rows among rest.step"),
        ("horizon=many", "expected a number for horizon"),
        ("horizn=3", "expected a setting among against"),
        ("against=luck", "expected against among ('solver', 'data')"),
        ("horizon", "expected key=value"),
    ],
)
def test_an_error_has_a_status_of_its_own(run, monkeypatch, capsys, argument, said):
    assert status(monkeypatch, f"run={run}", argument, f"data_dir={run.parents[1] / 'datasets'}") == 2
    assert said in capsys.readouterr().err
