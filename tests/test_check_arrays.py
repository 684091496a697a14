"""A check of forecasts made elsewhere: what arrays answer, what they cannot, and which files and errors there are."""

import json

import numpy as np
import pytest
import xarray as xr

import pdekit
from pdekit import check as check_command
from pdekit.checks.verdict import CANNOT_SAY, FAIL, PASS
from pdekit.pdes.advection import Advection
from tests.entry_points import command

N, FRAMES, POINTS = 4, 6, 32
X, TIME = np.arange(POINTS) / POINTS, 0.04 * np.arange(FRAMES)
U = np.sin(2 * np.pi * (X - TIME[:, None] - np.arange(N)[:, None, None] / 7))[:, :, None]
"""Waves that travel to the right with the speed 1, "sample time channel x"."""
MOVING = Advection(1.0)
BOX = {"dt": 0.04, "extent": (1.0,)}


def found(forecast, problem=MOVING, **options):
    check = pdekit.check(forecast=forecast, reference=U, problem=problem, **BOX | options)
    return {one.row: one.verdict for one in check.findings}


def of(verdicts, *rows):
    return {verdicts[row].verdict for row in rows}


DRIFT = 2.5 * TIME[1:, None, None]
ASKED = ("rest.step", "rest.rollout", "conservation.mass")


def test_the_exact_solution_passes_what_arrays_answer():
    verdicts = found(U[:, 1:])
    assert of(verdicts, *ASKED) == {PASS}
    assert FAIL not in {verdict.verdict for verdict in verdicts.values()}
    for row in ("symmetry.shift_x", "rest.zero", "grid.odd", "time.long", "locality.kick", "engineering.seed"):
        assert verdicts[row].verdict == CANNOT_SAY and "needs a model (run=RUN)" in verdicts[row].reason


@pytest.mark.parametrize(
    ("trap", "failed"),
    [
        (U[:, :-1], {"rest.step", "rest.rollout"}),  # one frame late
        (U[:, 1:] + DRIFT, {"rest.step", "rest.rollout", "conservation.mass"}),
        (np.where(TIME[1:, None, None] > 0.1, np.nan, U[:, 1:]), {"rest.rollout", "conservation.mass"}),
    ],
    ids=["late", "drifting", "diverging"],
)  # fmt: skip
def test_a_fault_fails_its_rows(trap, failed):
    verdicts = found(trap)
    assert {row for row in ASKED if verdicts[row].verdict == FAIL} == failed


def test_members_are_judged_one_by_one():
    signs = np.where(np.arange(20) % 2, -1.0, 1.0)[:, None, None, None, None]
    verdicts = found(U[None, :, 1:] + 0.5 * signs)
    assert of(verdicts, "rest.step", "conservation.mass") == {PASS}
    assert of(verdicts, "members.rest.step", "members.conservation.mass") == {FAIL}
    assert of(verdicts, "uncertainty.coverage_50", "uncertainty.spread") == {FAIL}, "far too wide"
    few = found(U[None, :, 1:] + 0.5 * signs[:4])
    assert few["uncertainty.spread"].reason == "the row needs 19 members of 5 frames, the forecast has 4 of 5"


def test_without_an_equation_there_are_fewer_rows_and_a_training_split_adds_some():
    verdicts = found(U[:, 1:], None, train=U)
    assert verdicts["rest.step"].verdict == PASS and "conservation.mass" not in verdicts
    assert verdicts["domain.start"].verdict == PASS


def test_a_steady_problem_needs_training_samples_for_its_mean():
    fields, box = np.sin(2 * np.pi * (X - np.arange(N)[:, None] / 7))[:, None, None], {"extent": (1.0,)}
    with pytest.raises(ValueError, match="expected train= for a steady problem"):
        pdekit.check(forecast=fields, reference=fields, **box)
    check = pdekit.check(forecast=1.01 * fields, reference=fields, train=fields[:2], rows=["rest.*"], **box)
    verdicts = {one.row: one.verdict for one in check.findings}
    assert verdicts["rest.step"].verdict == PASS and verdicts["rest.rollout"].reason == "the reference is one frame"


def test_files_on_the_command_line(tmp_path, monkeypatch, capsys):
    for name, u, t in (("made", U[:, :-1, 0], TIME[1:]), ("truth", U[:, :, 0], TIME)):
        xr.Dataset({"u": (("sample", "time", "x"), u)}, coords={"x": X, "time": t}).to_netcdf(tmp_path / f"{name}.nc")
    files = [f"forecast={tmp_path}/made.nc", f"reference={tmp_path}/truth.nc", f"folder={tmp_path}"]
    with pytest.raises(SystemExit) as stop:
        command(monkeypatch, check_command, *files, "rows=[rest.*]", "n_states=2", f"junit={tmp_path}/check.xml")
    assert stop.value.code == 1 and "forecast of 2 samples, 5 frames" in capsys.readouterr().out
    rows = json.loads((tmp_path / "check.json").read_text())["rows"]
    assert {row["row"]: row["verdict"]["verdict"] for row in rows}["rest.step"] == FAIL
    assert 'failures="2"' in (tmp_path / "check.xml").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"forecast": U[:, 1:]}, "give one of the two"),
        ({"forecast": U[:, 1:], "reference": U, "run": "a"}, "give one of the two"),
        ({"forecast": {"fno": U, "unet": U}, "reference": U}, "got fno, unet; check each by itself"),
        ({"forecast": U[:, 1:], "reference": U, "members": 2}, "members, which ask a model to forecast again"),
        ({"forecast": U[:, 1:], "reference": U, "horizn": 2}, r"got \['horizn'\]"),
        ({"forecast": U, "reference": U}, "found 0 before and 6 with them"),
        ({"forecast": U[:, :0], "reference": U}, "found 6 before and 0 with them"),
        ({"forecast": U[:, :1, :, :0], "reference": U}, "in the forecast 'forecast'"),
    ],
)
def test_what_does_not_fit_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        pdekit.check(**BOX | options)


def test_a_dataset_is_one_forecast():
    data = xr.Dataset({"u": (("sample", "time", "x"), U[:, :, 0])}, {"time": TIME, "x": X})
    check = pdekit.check(forecast=data.isel(time=slice(1, None)), reference=data, problem=MOVING, rows=["rest.step"],
                         extent=(1.0,))  # fmt: skip
    assert check.findings[0].verdict.verdict == PASS
