"""Evaluation end to end on surrogates whose errors are known."""

import dataclasses
import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr

from pdekit.evaluation import forecasting
from pdekit.evaluation.baselines import solvers
from pdekit.evaluation.references import stored as references
from pdekit.evaluation.run import description_of
from pdekit.fields import Field, Grid, Points, Problem, Trajectory
from pdekit.metrics.catalogue import MEASURES
from pdekit.metrics.ensembles import crps
from pdekit.metrics.pointwise import nrmse
from pdekit.models.baselines.mean import Mean
from pdekit.models.baselines.persistence import Persistence
from pdekit.pdes import Advection
from pdekit.report.page import write_report
from tests.evaluation.scoring import evaluate
from tests.evaluation.waves import DT, FEW, N_FRAMES, N_TRAJECTORIES, PROBLEM, Shift, Waves, Whole, run


def test_known_errors(tmp_path):
    with run(tmp_path, {"exact": Shift(PROBLEM), "growing": Shift(PROBLEM, growth=0.1)}, horizon=4) as scores:
        sizes = {"model": 2, "member": 1, "sample": 5, "time": 4, "field": 2, "shell": 9, "batch": 2}
        assert dict(scores.sizes) == sizes
        np.testing.assert_allclose(scores.time, DT * np.arange(1, 5), rtol=1e-9)
        assert float(scores.nrmse.sel(model="exact").max()) < 1e-6
        assert float(scores.correlation.sel(model="exact").min()) == pytest.approx(1, abs=1e-6)
        growing = scores.nrmse.sel(model="growing", field="u").mean(("member", "sample"))
        np.testing.assert_allclose(growing, 1.1 ** np.arange(1, 5) - 1, rtol=1e-5)
        assert scores.nrmse.notnull().all()
        total = scores.energy_spectrum_reference.sel(field="v").sum("shell")
        np.testing.assert_allclose(total, 25.5 / 2, rtol=1e-6)
        assert scores.rmse.attrs["units"] == "m/s K" and scores.unit.values.tolist() == ["m/s", "K"]


def test_scores_are_those_of_the_measure(tmp_path):
    noisy = Shift(PROBLEM, noise=0.1)
    with run(tmp_path, {"noisy": noisy}, horizon=3, seed=7, batch_size=2, measures=FEW) as scores:
        given = Waves().read(4, slice(0, 1))
        wanted = Waves().read(4, slice(1, 4))
        generator = forecasting.Contender("noisy", noisy, "surrogate", 7, 1).generators[0]
        forecast = noisy.forecast(given, wanted.t, generator=generator)
        expected = nrmse(forecast, wanted.u, PROBLEM)[0, 0]
        np.testing.assert_allclose(scores.nrmse[0, 0, 4], expected, rtol=1e-6)


@pytest.mark.slow
def test_long_horizons_in_stretches_are_the_same_as_at_once(tmp_path, monkeypatch):
    def noisy_scores(name, **options):
        with run(tmp_path / name, {"noisy": Shift(PROBLEM, noise=0.1, history=2)}, members=3, **options) as scores:
            return scores.load()

    at_once = noisy_scores("a")
    monkeypatch.setattr(forecasting, "VALUES", 3 * 2 * 2 * 16)
    assert forecasting.block_size(PROBLEM, 2) == 3
    in_stretches = noisy_scores("b", batch_size=2)
    for name in ("nrmse", "correlation", "spectral_nrmse"):
        np.testing.assert_allclose(in_stretches[name], at_once[name], rtol=2e-5, atol=1e-6)
    spread = at_once.rmse.std("member")
    assert (spread > 1e-4).all(), "members must differ"


def test_every_model_forecasts_the_same_frames_with_its_own_history(tmp_path):
    long, short, whole = Shift(PROBLEM, history=3), Shift(PROBLEM, history=1), Whole(PROBLEM)
    with run(tmp_path, {"long": long, "short": short, "whole": whole}, n_trajectories=2, measures=FEW) as scores:
        np.testing.assert_allclose(scores.time, DT * np.arange(1, N_FRAMES - 2), rtol=1e-9)  # from the last given one
        np.testing.assert_allclose(scores.lead_time, scores.time.values[None].repeat(2, 0), rtol=1e-6)
        assert float(scores.nrmse.max()) < 1e-6
    assert set(long.seen) == {3} and set(short.seen) == {1}
    # at last, after those for the time alone: four frames at a time, each stretch from its own last two frames
    assert whole.asked[-3:] == [(2, 4, 0.2), (2, 4, 0.6), (2, 2, 1.0)]


class TimedWaves(Waves):
    """Waves whose times are known without reading them."""

    def times(self, trajectory, frames=slice(None)):
        return (3.0 + DT * torch.arange(N_FRAMES, dtype=torch.float64)[frames])[None]


class Pushed(Waves):
    """Waves with a forcing that changes in time."""

    problem = dataclasses.replace(PROBLEM, forcing=(Field("f"),))

    def read(self, trajectory, frames):
        found = super().read(trajectory, frames)
        n = torch.arange(N_FRAMES)[frames].float()
        return dataclasses.replace(found, forcing=n[None, :, None, None].expand(1, -1, 1, 16))


@pytest.mark.parametrize(
    "held, waves",
    [(references.HELD, Waves), (1, TimedWaves), (1, Waves), (references.HELD, Pushed), (1, Pushed)],
    ids=["held", "too many", "too many, without times of their own", "forced", "forced and too many"],
)
def test_each_frame_of_the_reference_is_read_once(tmp_path, monkeypatch, held, waves):
    monkeypatch.setattr(references, "HELD", held)
    monkeypatch.setattr(forecasting, "VALUES", 3 * 2 * 2 * 16)  # blocks of three frames
    source = waves()
    models = {"exact": Shift(source.problem), "longer": Shift(source.problem, history=2)}
    evaluate(models, source, tmp_path, batch_size=2, measures=FEW).close()
    read = Counter((trajectory, n) for trajectory, first, stop in source.asked for n in range(first, stop))
    assert set(read.values()) == {1} and len(read) == N_TRAJECTORIES * N_FRAMES
    assert all((given.forcing is not None) == (waves is Pushed) for given in models["longer"].given)


def test_times_of_a_long_source_that_states_none_are_checked(tmp_path, monkeypatch):
    monkeypatch.setattr(references, "HELD", 1)
    monkeypatch.setattr(forecasting, "VALUES", 3 * 2 * 2 * 16)

    class Uneven(Waves):
        def read(self, trajectory, frames):
            found = super().read(trajectory, frames)
            return dataclasses.replace(found, t=found.t + 0.01 * (found.t - 3.0) ** 2)

    with pytest.raises(ValueError, match=r"expected times in steps of 0\.1, found .* give the source a method times"):
        evaluate({"exact": Shift(PROBLEM)}, Uneven(), tmp_path, batch_size=2)


def test_starts_are_samples(tmp_path):
    options = {"horizon": 2, "starts": (0, 5), "n_trajectories": 3, "measures": FEW}
    with run(tmp_path, {"exact": Shift(PROBLEM)}, **options) as scores:
        assert scores.start.values.tolist() == [0, 5] * 3 and scores.trajectory.values.tolist() == [0, 0, 1, 1, 2, 2]
        assert float(scores.nrmse.max()) < 1e-6


def test_divergence_is_kept(tmp_path):
    with run(tmp_path, {"bursting": Shift(PROBLEM, growth=1e12)}, measures=FEW) as scores:
        assert np.isinf(scores.nrmse[..., -1, :]).all() and (scores.correlation[..., -1, :] == -np.inf).all()
        assert np.isfinite(scores.nrmse[..., 0, :]).all()


def test_baselines_and_what_is_known_of_a_model(tmp_path):
    mean = Mean(PROBLEM)
    mean.calibrate([Waves().read(i, slice(0, N_FRAMES)) for i in range(N_TRAJECTORIES)])
    baselines = {"persistence": Persistence(PROBLEM), "mean": mean}
    options = {"baselines": baselines, "absent": {"solver": "no equation"}, "members": 2, "measures": FEW}
    with run(tmp_path, {"exact": Shift(PROBLEM)}, **options) as scores:
        assert scores.kind.values.tolist() == ["surrogate", "baseline", "baseline"]
        assert scores.parameters.values.tolist() == [2, 0, 0]
        assert scores.network_calls.values.tolist() == [12, 0, 0]
        assert (scores.seconds_per_forecast > 0).all()
        assert scores.batch.values.tolist() == [1, 5] and (scores.seconds_by_batch > 0).all()
        np.testing.assert_array_equal(scores.seconds_by_batch.sel(batch=5), scores.seconds_per_forecast)
        assert scores.absent == '{"solver": "no equation"}'
        assert scores.rmse.sel(model="mean", member=1).isnull().all() and scores.rmse.sel(member=0).notnull().all()
        first = float(scores.nrmse.sel(model="persistence", field="u").isel(time=0, member=0).mean())
        assert first == pytest.approx(2 * math.sin(math.pi / 16), rel=1e-5)  # |sin(x) - sin(x - h)| by sum formula


def test_members_of_a_model_without_randomness_are_forecast_once(tmp_path):
    models = {"exact": Shift(PROBLEM), "noisy": Shift(PROBLEM, noise=0.1)}
    with run(tmp_path, models, horizon=3, members=3, measures=FEW) as scores:
        assert scores.rmse.sel(model="exact", member=[1, 2]).isnull().all()
        assert (
            scores.rmse.sel(model="noisy").notnull().all() and scores.rmse.sel(model="exact", member=0).notnull().all()
        )
        assert scores.network_calls.values.tolist() == [3, 3]
    assert len(models["exact"].seen) < len(models["noisy"].seen)


def test_members_whose_first_frames_agree_are_kept(tmp_path):
    """Noise that enters from the second step on; whether there is some is declared by the method, not guessed."""

    class Later(Shift):
        def forecast(self, given, t, members=1, generator=None):
            u = super().forecast(given, t, members, generator)
            u[:, :, 0] = given.u[:, -1].roll(1, -1)
            return u

    with run(tmp_path, {"later": Later(PROBLEM, noise=0.1)}, horizon=3, members=3, measures=FEW) as scores:
        error = scores.rmse.sel(model="later")
        assert error.notnull().all() and float(error.isel(time=0).std("member").max()) < 1e-12
        assert float(error.isel(time=2).std("member").min()) > 0


def test_a_step_that_draws_noise_must_declare_it():
    class Undeclared(Shift):
        def step(self, frames, given, noise):
            return frames[:, -1] + noise(frames[:, -1], 0)

    wanted = Waves().read(0, slice(1, 3))
    with pytest.raises(ValueError, match=r"Undeclared is not declared stochastic; set stochastic = True"):
        Undeclared(PROBLEM).forecast(Waves().read(0, slice(0, 1)), wanted.t)


@pytest.mark.slow
def test_ensembles_are_scored_together(tmp_path):
    noisy = Shift(PROBLEM, noise=0.1)
    models = {"exact": Shift(PROBLEM), "noisy": noisy}
    with run(tmp_path, models, horizon=3, members=4, seed=7, batch_size=2) as scores:
        assert scores.crps.dims == ("model", "sample", "time", "field")
        assert scores.crps.sel(model="exact").isnull().all() and scores.rank_histogram.sel(model="exact").isnull().all()
        # of independent errors of standard deviation 0.1 sqrt(n), spread and skill are these, and ranks are not flat
        grown = 0.1 * np.sqrt([1, 2, 3])
        for name in ("spread", "rmse"):
            found = scores[name].sel(model="noisy").mean([d for d in scores[name].dims if d not in ("time", "model")])
            np.testing.assert_allclose(found, grown, rtol=0.15)
        assert float(scores.agreement.sel(model="noisy", field="u")[:, 0].mean()) == pytest.approx(1 / 1.02, abs=0.01)
        np.testing.assert_allclose(scores.rank_histogram.sel(model="noisy").sum("rank"), 1)
        generators = forecasting.Contender("noisy", noisy, "surrogate", 7, 4).generators
        wanted = Waves().read(4, slice(1, 4))
        u = torch.cat([noisy.forecast(Waves().read(4, slice(0, 1)), wanted.t, generator=g) for g in generators])
        np.testing.assert_allclose(scores.crps[1, 4], crps(u, wanted.u, PROBLEM)[0], rtol=1e-5)
    with run(tmp_path, {"noisy": Shift(PROBLEM, noise=0.1)}, horizon=3) as scores:
        assert "crps" not in scores and "rank" not in scores.dims


@pytest.mark.slow
def test_residuals_and_integrals_in_stretches_beside_the_floor(tmp_path, monkeypatch):
    problem = Problem(Grid((16,), (2 * math.pi,)), Advection().fields, dt=0.01, n_frames=9, pde=Advection())
    x, t = problem.grid.coordinates(0), 0.01 * torch.arange(9.0, dtype=torch.float64)
    waves = torch.sin(x - Advection().velocity_x * t[:, None]) + 2

    def read(trajectory, frames):
        u = ((1 + trajectory) * waves)[None, frames, None].float()
        return Trajectory(u=u, t=t[None, frames], index=torch.tensor([trajectory]))

    class Fading(Shift):
        def step(self, frames, given, noise):
            (now,) = solvers(problem, (1.0,), (1,))[0].values()
            on = Trajectory(u=frames[:, -1:], t=torch.zeros(len(frames), 1, dtype=torch.float64))
            return 0.99 * now.forecast(on, torch.full((len(frames), 1), 0.01, dtype=torch.float64))[0, :, 0]

    source = SimpleNamespace(problem=problem, n_trajectories=2, read=read)

    def found(name):
        with evaluate({"fading": Fading(problem)}, source, tmp_path / name, progress=False) as scores:
            return scores.load()

    at_once = found("a")
    assert at_once.integral.values.tolist() == ["mass", "square"]
    mass = at_once.integral_value.sel(model="fading", integral="mass") / (4 * math.pi)
    np.testing.assert_allclose(mass, np.outer([1, 2], 0.99 ** np.arange(1, 9)), rtol=1e-5)
    np.testing.assert_allclose(
        at_once.integral_reference.sel(integral="mass") / (4 * math.pi), [[1] * 8, [2] * 8], rtol=1e-6
    )
    floor, scale = at_once.residual_floor[:, :-1], at_once.residual_scale[:, :-1]
    assert at_once.residual_floor[:, -1].isnull().all() and floor.notnull().all() and (floor < 1e-2 * scale).all()
    # fading by 1 % in 0.01 is u_t = -ln(0.99)/0.01 (u, mean included): the residual next to <u^2> = 4.5
    expected = 1.005 * math.sqrt(4.5) * np.outer([1, 2], 0.99 ** np.arange(1, 8))
    np.testing.assert_allclose(at_once.residual_norm.sel(model="fading")[:, :-1], expected, rtol=2e-3)
    monkeypatch.setattr(forecasting, "VALUES", 3 * 2 * 16)
    in_stretches = found("b")
    for name in ("residual_norm", "residual_floor", "integral_value"):
        np.testing.assert_allclose(in_stretches[name], at_once[name], rtol=1e-3)


def test_an_interruption_leaves_the_old_files(tmp_path):
    (tmp_path / "scores.nc").write_text("old")

    class Failing(Shift):
        def step(self, frames, given, noise):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, {"failing": Failing(PROBLEM)})
    assert [p.name for p in tmp_path.iterdir()] == ["scores.nc"] and (tmp_path / "scores.nc").read_text() == "old"


def test_the_floor_is_interpolated_to_the_lead_times(tmp_path):
    with run(tmp_path, {"exact": Shift(PROBLEM)}, floor=([0.0, 1.2], [0.0, 0.24]), measures=FEW) as scores:
        np.testing.assert_allclose(scores.nrmse_floor, 0.2 * scores.time, rtol=1e-9)


@pytest.mark.slow
def test_no_floor_is_made_up_beyond_its_check(tmp_path):
    with run(tmp_path, {"exact": Shift(PROBLEM)}, floor=([0.3, 0.6], [0.06, 0.12])) as scores:
        expected = np.where((scores.time > 0.29) & (scores.time < 0.61), 0.2 * scores.time, np.nan)
        np.testing.assert_allclose(scores.nrmse_floor, expected, rtol=1e-9)
    assert "floor of the reference" in write_report(tmp_path).read_text(), "its curve ends, and the report is whole"


def test_a_steady_problem(tmp_path):
    problem = Problem(Grid((8,), (1.0,), layout=("nodes",)), (Field("T", "K"),), coeffs=(Field("k"),))

    def read(trajectory, frames):
        u = torch.linspace(0, 1, 8).reshape(1, 1, 1, 8)[:, frames]
        return Trajectory(u=u, t=torch.zeros(1, 1, dtype=torch.float64)[:, frames], coeffs=torch.ones(1, 1, 8))

    source = SimpleNamespace(problem=problem, n_trajectories=2, read=read)
    mean = Mean(problem)
    mean.calibrate([read(0, slice(0, 1))])
    with evaluate({}, source, tmp_path, baselines={"mean": mean}, progress=False) as scores:
        assert scores.time.values.tolist() == [0] and float(scores.nrmse.max()) < 1e-6
        assert "energy_spectrum" in scores


def test_padding_of_a_mesh_does_not_count(tmp_path):
    problem = Problem(Points(2, 6), (Field("p", "Pa"),), dt=1.0, n_frames=3)

    def read(trajectory, frames):
        u = torch.arange(3.0).reshape(1, 3, 1, 1) * torch.tensor([1.0, 2, 2, 1, 0, 0])
        u[..., 4:] = math.nan
        inside = torch.tensor([[1.0, 1, 1, 1, 0, 0]]) > 0  # as files have it
        t = torch.arange(3.0, dtype=torch.float64)[None]
        return Trajectory(u=u[:, frames] + 1, t=t[:, frames], points=torch.zeros(1, 6, 2), point_mask=inside)

    source = SimpleNamespace(problem=problem, n_trajectories=2, read=read)
    baselines = {"persistence": Persistence(problem)}
    with evaluate({}, source, tmp_path, baselines=baselines, progress=False) as scores:
        np.testing.assert_allclose(scores.rmse[0, 0, 0, :, 0], math.sqrt(2.5) * np.array([1, 2]), rtol=1e-6)
        assert "energy_spectrum" not in scores
    with xr.open_dataset(tmp_path / "forecasts.nc", engine="h5netcdf") as kept:
        assert kept.p.dims == ("model", "sample", "time", "point")


def test_a_system_without_space(tmp_path):
    problem = Problem(Grid((), ()), (Field("x"), Field("y")), dt=0.5, n_frames=4)

    def read(trajectory, frames):
        u = (1.0 + torch.arange(4.0)).reshape(1, 4, 1) * torch.tensor([1.0, -2.0])
        return Trajectory(u=u[:, frames], t=(0.5 * torch.arange(4.0, dtype=torch.float64))[None, frames])

    source = SimpleNamespace(problem=problem, n_trajectories=2, read=read)
    with evaluate({}, source, tmp_path, baselines={"persistence": Persistence(problem)}, progress=False) as scores:
        np.testing.assert_allclose(scores.nrmse[0, 0, 0, :, 1], [1 / 2, 2 / 3, 3 / 4], rtol=1e-6)
        assert "correlation" not in scores and "rmse" in scores
    assert "lead time" in write_report(tmp_path).read_text(encoding="utf-8")


class TestMismatch:
    def test_of_the_problem(self, tmp_path):
        other = Problem(PROBLEM.grid, (Field("u", "m/s"), Field("T", "K")), dt=DT, n_frames=N_FRAMES)
        with pytest.raises(ValueError, match=r"fields that 'run 1' was made for.*Field\(name='T'"):
            run(tmp_path, {"run 1": Shift(other)})
        other = Problem(PROBLEM.grid.resized((8,)), PROBLEM.fields, dt=DT, n_frames=N_FRAMES)
        with pytest.raises(
            ValueError, match=r"grid that 'run 1' was made for, Grid\(shape=\(8,\).* found Grid\(shape=\(16,\)"
        ):
            run(tmp_path, {"run 1": Shift(other)})

    def test_of_the_horizon(self, tmp_path):
        with pytest.raises(ValueError, match=r"expected a horizon of 1 to 12 frames .* got 40; shorten it"):
            run(tmp_path, {"exact": Shift(PROBLEM)}, horizon=40)

    def test_of_the_forecast(self, tmp_path):
        class Wrong(Shift):
            def forecast(self, given, t, members=1, generator=None):
                return super().forecast(given, t)[:, :, :, :1]

        with pytest.raises(ValueError, match=r"expected a forecast of shape \(1, 5, 1, 2, 16\)"):
            run(tmp_path, {"wrong": Wrong(PROBLEM)})


def test_measures_can_be_chosen(tmp_path):
    with run(tmp_path, {"exact": Shift(PROBLEM)}, measures=[MEASURES["nrmse"]]) as scores:
        assert "nrmse" in scores and "rmse" not in scores and "shell" not in scores.dims


def test_the_description_says_which_values_are_nominal():
    problem = Problem(Grid((8,), (1.0,)), (Field("u"),), dt=0.1, pde=Advection())
    assert description_of(problem) == Advection().describe({})
    (name,) = [field.name for field in dataclasses.fields(Advection)][:1]
    varied = description_of(dataclasses.replace(problem, params=(name,)))
    assert varied == f"{Advection().describe({})} Nominal values; {name} differs from sample to sample."
