"""Forecasts that pdekit did not make: read as they are, aligned with their reference, scored with every measure."""

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

import pdekit
from pdekit import evaluate
from pdekit.data import from_arrays
from pdekit.data.arrays import Arrays
from pdekit.data.description import Description, check_numbers
from pdekit.data.forecasts import first_date, read_forecast
from pdekit.data.scored import read_reference
from pdekit.evaluation.baselines import baselines
from pdekit.evaluation.stored_forecasts import StoredForecasts
from pdekit.evaluation.stored_run import common_start
from pdekit.pdes.advection import Advection
from pdekit.scoring import check_asked

N, FRAMES, POINTS = 3, 8, 16
X, TIME = np.arange(POINTS) / POINTS, 0.1 * np.arange(FRAMES)
U = np.sin(2 * np.pi * (X - TIME[:, None] - np.arange(N)[:, None, None] / 3))  # sample time x
REFERENCE = xr.Dataset({"u": (("sample", "time", "x"), U, {"units": "m"})}, coords={"x": X, "time": TIME})
LABELLED = REFERENCE.u.assign_coords(sample=[4, 5, 6])
QUICK = {
    "progress": False, "sweep": {"sizes": []}, "measures": ("rmse",), "judges": ("fields",), "keep": {"n_samples": 1}
}  # fmt: skip


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Two forecasts with all measures: an ensemble, and one that diverges."""
    errors = 0.1 * np.array([1.0, -1.0, 2.0])[:, None, None, None, None]
    diverging = 1.01 * U[:, 1:, None]
    diverging[1, 4:] = np.nan
    forecasts = {"ensemble": (1 + errors) * U[:, 1:, None], "diverging": torch.from_numpy(diverging)}
    options = {"progress": False, "sweep": {"sizes": [1.0], "steps": [1]}, "timing_batches": ()}
    folder = tmp_path_factory.mktemp("scored")
    train = REFERENCE.isel(sample=[0, 2])
    return pdekit.score(forecasts, REFERENCE, Advection(1.0), train=train, folder=folder, **options)


@pytest.mark.slow
def test_errors_are_those_that_were_made(scored):
    rmse = scored.scores.nrmse.sel(model="ensemble").squeeze()
    assert rmse.dims == ("member", "sample", "time") and rmse.shape == (3, N, FRAMES - 1)
    np.testing.assert_allclose(rmse, np.broadcast_to([[[0.1]], [[0.1]], [[0.2]]], rmse.shape), rtol=1e-6)
    np.testing.assert_allclose(scored.scores.time, TIME[1:])
    assert {"crps", "spread", "residual_norm", "integral_value", "correlation_time"} <= set(scored.scores)


def test_a_forecast_that_is_not_finite_has_diverged(scored):
    nrmse = scored.scores.nrmse.sel(model="diverging", member=0).squeeze()
    np.testing.assert_allclose(nrmse[[0, 2]], 0.01, rtol=1e-6)
    assert (nrmse[1, 4:] == np.inf).all() and (nrmse[1, :4] < 0.02).all()
    assert "| diverging |" in scored.table() and "33 %" in scored.table()


def test_known_equations_give_solvers_and_residuals(scored):
    kinds = dict(zip(scored.scores.model.values.tolist(), scored.scores.kind.values.tolist(), strict=True))
    assert {"persistence", "mean"} <= {name for name, kind in kinds.items() if kind == "baseline"}
    (solver,) = [name for name, kind in kinds.items() if kind == "solver" and "float32" not in name]
    assert (scored.scores.nrmse.sel(model=solver, member=0) < 1e-5).all()


def test_the_cost_of_what_others_made_is_not_known(scored, tmp_path):
    seconds = scored.scores.seconds_per_forecast
    assert np.isnan(seconds.sel(model=["ensemble", "diverging"])).all() and (seconds.sel(model="persistence") > 0).all()
    page = scored.report(tmp_path / "new" / "page.html").read_text()
    assert "What it costs is not known." in page and "its cost is not known" in page
    assert "faster" not in scored.lines and "dominated" not in scored.lines


def scores(forecast, reference=REFERENCE, **options):
    return pdekit.score(forecast, reference, **QUICK | options).scores


def test_small_errors_are_seen_in_float64_and_masked_points_do_not_count():
    mask = np.ones(POINTS)
    mask[:4] = 0
    outside = 1.1 * U[:, 1:, None]
    outside[..., :4] = np.nan
    found = scores(
        {"tiny": U[:, 1:, None] * (1 + 1e-11), "outside": outside}, U[:, :, None], dt=0.1, extent=(1.0,), mask=mask
    )
    np.testing.assert_allclose(found.nrmse.sel(model="tiny"), 1e-11, rtol=1e-3)
    np.testing.assert_allclose(found.nrmse.sel(model="outside"), 0.1, rtol=1e-6)


def test_complex_forecasts_have_two_parts():
    psi = U[:, :, None] + 2j
    reference = read_reference(psi, None, Description(dt=0.1, extent=(1.0,), fields=["psi"]))
    forecast = read_forecast("mine", torch.from_numpy(np.stack([psi, psi + 1j])), reference)
    assert len(forecast.members) == 2 and [field.name for field in reference.problem.fields] == ["psi_real", "psi_imag"]
    np.testing.assert_allclose(forecast.members[1].read(2).u[0, :, 1], 3.0)


def test_a_scoring_that_fails_leaves_no_folder(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ValueError, match="expected measures among"):
        scores(REFERENCE, measures=("rmsee",))
    assert not list(tmp_path.iterdir())


def test_numpy_files_may_have_members(tmp_path):
    u = np.stack([U, 2 * U])
    np.save(tmp_path / "one.npy", u[:, :, :, None])
    np.savez(tmp_path / "one.npz", u=u[:, :, :, None])
    np.savez(tmp_path / "two.npz", v=3 * u, u=u)
    both = xr.Dataset({"u": REFERENCE.u, "v": 3 * REFERENCE.u}).assign_coords(REFERENCE.coords)
    for name, wanted in (("one.npy", REFERENCE), ("one.npz", REFERENCE), ("two.npz", both)):
        found = read_forecast("mine", tmp_path / name, read_reference(wanted, None, Description()))
        assert len(found.members) == 2
        np.testing.assert_allclose(found.members[1].read(2).u[0, :, found.order[0]], 2 * U[2])
    np.savez(tmp_path / "uneven.npz", v=3 * u[:1], u=u)
    with pytest.raises(ValueError, match=r"one number of members in all fields, found \{'v': 1, 'u': 2\}"):
        read_forecast("mine", tmp_path / "uneven.npz", read_reference(both, None, Description()))


def test_names_times_and_members_are_honoured():
    two = xr.Dataset({"u": REFERENCE.u, "v": 2 * REFERENCE.u}).assign_coords(REFERENCE.coords)
    found = xr.Dataset({"v": two.v * 3, "u": two.u * 5}).isel(time=slice(3, 6))  # other order, later start
    found = xr.concat([found, -found], "member").transpose("time", "member", "x", "sample")
    reference = read_reference(two, None, Description())
    forecast = read_forecast("mine", found, reference)
    assert (forecast.first, forecast.n_frames, len(forecast.members)) == (3, 3, 2)
    model = StoredForecasts(reference.problem, forecast, common_start({"mine": forecast}, FRAMES))
    t = torch.from_numpy(TIME[3:6]).expand(2, -1)
    (u,) = model.replay(1, [2, 0], t, 3)
    np.testing.assert_allclose(u[0], -np.stack([5 * U[2, 3:6], 6 * U[2, 3:6]], 1))
    np.testing.assert_allclose(torch.cat(list(model.replay(1, [2, 0], t, 2)), 1), u)
    with pytest.raises(ValueError, match=r"found t = 0.3 in trajectory 2; put them in the order"):
        next(model.replay(0, [2], t[:1] + 1, 3))


def test_dates_count_from_the_first_of_the_reference(tmp_path):
    days = np.datetime64("2020-01-01") + np.arange(FRAMES) * np.timedelta64(6, "h")
    dated = REFERENCE.assign_coords(time=days)
    later = dated.isel(time=slice(2, None))
    later.to_netcdf(tmp_path / "later.nc", engine="h5netcdf")
    reference = read_reference(dated, None, Description())
    for forecast in (later, tmp_path / "later.nc"):
        found = read_forecast("mine", forecast, reference, since=first_date(dated))
        assert found.first == 2
        model = StoredForecasts(reference.problem, found, 2)
        (u,) = model.replay(0, [1], reference.read(1).t[:, 2:], FRAMES)
        np.testing.assert_allclose(u[0, :, 0], U[1, 2:])
    with pytest.raises(ValueError, match="expected times as numbers, as in the reference, found dates from 2020-01-01"):
        scores(later, REFERENCE)


def test_dates_that_are_no_times_are_not_looked_at():
    days = np.datetime64("2020-01-01") + np.arange(FRAMES) * np.timedelta64(6, "h")
    dated = REFERENCE.assign_coords(issued=days[0] - np.timedelta64(9, "D")).assign_coords(time=days)
    reference = read_reference(dated, None, Description())
    found = read_forecast("mine", dated.isel(time=slice(2, None)), reference, since=first_date(dated))
    assert found.first == 2
    assert first_date(REFERENCE.assign_coords(issued=days[0])) is None


def test_fields_that_are_constant_are_reported():
    found = scores(np.ones((2, 3, 1, 8)), np.full((2, 4, 1, 8), 2.0), dt=0.1, extent=(1.0,))
    np.testing.assert_allclose(found.nrmse.sel(model="forecast"), 0.5)
    assert np.isnan(found.correlation).all()


def test_times_that_may_be_made_up_are_named():
    reference = read_reference(REFERENCE, None, Description())
    short = REFERENCE.isel(time=slice(1, None)).assign_coords(time=TIME[:-1])  # as of a file that states no times
    forecast = read_forecast("mine", short, reference)
    with pytest.warns(UserWarning, match="'mine' begin with those of the reference, although it has fewer frames"):
        assert common_start({"mine": forecast}, FRAMES) == 0
    with pytest.raises(ValueError, match="as many frames as follow the 1 given ones"):
        StoredForecasts(reference.problem, forecast, 1)


def test_steady_problems_need_no_frames():
    found = scores(1.1 * U[:, :1, None], U[:, :1, None], extent=(1.0,))
    np.testing.assert_allclose(found.nrmse.sel(model="forecast"), 0.1, rtol=1e-6)
    assert "persistence" in found.attrs["absent"] and found.sizes["time"] == 1


def test_a_copied_first_frame_is_named():
    with pytest.warns(UserWarning, match="first frame of the forecast 'forecast' is that of the reference"):
        found = scores(U[:, :, None], U[:, :, None], dt=0.1, extent=(1.0,))
    np.testing.assert_allclose(found.time, 0.1 + TIME)


@pytest.mark.parametrize(
    "forecast, options, sentence",
    [
        (U[:, 1:], {}, r"with 4 axes, or 5 with members first, got shape \(3, 7, 16\)"),
        (U[:2, :, None], {}, "expected the 3 trajectories of the reference, found 2"),
        (np.swapaxes(U, 1, 2)[:, :, None], {}, r"expected \(1, 16\) .* found \(1, 8\); bring"),
        (REFERENCE.assign_coords(x=X + 0.02), {}, "expected 16 coordinates 'x'"),
        (REFERENCE.assign_coords(time=TIME + 0.04), {}, "expected times of the reference"),
        (REFERENCE.rename(u="v"), {}, r"expected the fields \['u'\] in the forecast, found \['v'\]"),
        (REFERENCE.u.assign_attrs(units="km").to_dataset(), {}, "expected u in 'm' in the forecast, found 'km'"),
        (U[:, 1:, None] + 0j, {}, r"expected \(1, 16\) .* found \(2, 16\)"),
        (U[:, 1:, None], {"reference": U[:0, :, None]}, r"expected values in the train split, got the shape \(0, 8"),
        ({"reference": U[:, 1:, None]}, {}, "not empty and not 'reference'"),
        (LABELLED[::-1], {"reference": LABELLED}, r"expected the samples \[4, 5, 6\] .* found \[6, 5, 4\]"),
        (U[:, 1:, None], {"given": 2}, "within the 8 frames of the reference"),
        ({"a": U[:, 1:, None], "b": U[:, 2:, None]}, {}, "begin at one frame of the reference"),
        ({"a": U[:, 1:, None], "b": U[:, 1:5, None]}, {"given": 1}, "give horizon=4"),
        (U[:, 1:, None], {"dt": 0.2}, "in the reference: expected times dt = 0.2 apart, found 0.1"),
        (U[:, 1:, None], {"problem": "kolmogorov"}, "2 axes of space for NavierStokes2D, found 1"),
        (U[:, 1:, None], {"problem": 3}, "expected an equation of pdekit.pdes"),
        (U[:, 1:, None], {"train": REFERENCE.isel(x=slice(0, None, 2))}, "expected train with the grid"),
    ],
)
def test_what_does_not_fit_is_refused(forecast, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        scores(forecast, **options)


def test_values_of_another_type_are_refused():
    with pytest.raises(ValueError, match="expected a whole number of frames that were known"):
        check_asked({"mine": U}, U, 1.0)
    with pytest.raises(ValueError, match="expected dt as a number"):
        check_numbers("a", None)
    for extent in (1.0, "ab", ["a"]):
        with pytest.raises(ValueError, match="expected extent with a length for each axis"):
            check_numbers(0.1, extent)


def test_unknown_options_are_refused():
    with pytest.raises(TypeError, match="correct them"):
        scores(U[:, 1:, None], members=3)
    with pytest.raises(TypeError, match=r"got \['text'\]"):
        scores(U[:, 1:, None], text=["a"] * N)


def test_files_on_the_command_line(tmp_path, capsys):
    path = {name: tmp_path / f"{name}.nc" for name in ("reference", "ensemble")}
    REFERENCE.to_netcdf(path["reference"], engine="h5netcdf")
    xr.concat([1.1 * REFERENCE, 1.2 * REFERENCE], "member").isel(time=slice(1, None)).to_netcdf(
        path["ensemble"], engine="h5netcdf"
    )
    np.save(tmp_path / "plain.npy", 1.3 * U[:, 1:, None])
    evaluate.main(
        [
            *(f"forecast.many={path['ensemble']}", f"forecast.one={tmp_path / 'plain.npy'}", "sweep.sizes=[]"),
            *(f"reference={path['reference']}", f"out={tmp_path / 'out'}", "progress=false", "measures=[rmse]"),
            *("problem=advection", "pde.velocity_x=1.0", "judges=[fields]"),
        ]
    )
    assert "many" in capsys.readouterr().out
    assert sorted(item.name for item in Path(tmp_path / "out").glob("[!.]*")) == [
        "forecasts.nc", "report.html", "scores.nc",
    ]  # fmt: skip
    with xr.open_dataset(tmp_path / "out" / "scores.nc", engine="h5netcdf") as found:
        np.testing.assert_allclose(
            found.nrmse.sel(model="many").mean(("sample", "time", "field")), [0.1, 0.2], rtol=1e-6
        )
        np.testing.assert_allclose(found.nrmse.sel(model="one", member=0), 0.3, rtol=1e-6)


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["forecast=a.npy"], "found no reference=FILE"),
        (["forecast=a.npy", "forecast=b.npy", "reference=c.npy"], "name each: forecast.NAME="),
        (
            ["forecast=a.npy", "reference=c.npy", "horizon=two"],
            "expected horizon as a whole number, or null, got 'two'",
        ),
        (["forecast=a.npy", "reference=c.npy", "--fast"], "expected key=value, got '--fast'"),
        (
            ["forecast=a.npy", "reference=c.npy", "extent=[1"],
            r"expected a number, a word or a list .* found extent=\[1",
        ),
        (["forecast=a.npy", "reference=c.npy", "dt=1", "dt=2"], "expected dt once, .* leave one out"),
        (["forecast=a.npy", "reference=c.npy", "pde.speed=1"], "expected problem=NAME with pde.NAME=VALUE"),
        (
            ["forecast=a.npy", "reference=c.npy", "problem=advection", "pde.velocity_x=a"],
            "expected numbers in pde.NAME",
        ),
        (["forecast=a.npy", "reference=c.npy", "problem=advection", "pde.speed=1"], r"names among \['velocity_x'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, sentence):
    with pytest.raises(SystemExit, match=sentence):
        evaluate.main(arguments)


def test_folders_of_pdekit_are_references(tmp_path):
    from_arrays(REFERENCE, test=REFERENCE, folder=tmp_path, name="mine", pde=Advection(1.0))
    found = read_reference(tmp_path, None, Description())
    assert found.problem.pde == Advection(1.0) and found.n_trajectories == N
    np.testing.assert_allclose(found.read(2).u[0, :, 0], U[2], rtol=1e-6, atol=1e-6)
    with pytest.raises(ValueError, match="expected no dt for a file"):
        read_reference(tmp_path, None, Description(dt=0.1))


def test_training_arrays_have_the_box_of_the_reference():
    found = scores(1.1 * U[:, 1:, None], train=2 * U[:2, :, None], measures=("rmse",))
    assert "mean" in found.model.values


def test_baselines_that_learn_are_absent_without_data():
    data = from_arrays(REFERENCE, test=REFERENCE)
    defined, absent = baselines(data.problem, None)
    assert set(defined) == {"persistence"} and "give train=" in absent["mean"]
    assert isinstance(data.sources["train"], Arrays)
