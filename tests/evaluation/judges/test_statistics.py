"""Statistics in scores.nc: those of the window, of every member, whatever the parts in which frames come."""

import math

import numpy as np
import pytest
import torch

from pdekit.evaluation.judges.statistics import frames_of
from pdekit.fields import Field, Grid, Problem, Trajectory
from pdekit.metrics.statistics import STATISTICS, Window, points_of
from pdekit.metrics.sums import Sums
from pdekit.models.base import Surrogate
from pdekit.pdes import KuramotoSivashinsky
from pdekit.solvers import etdrk
from tests.evaluation.scoring import evaluate

N_FRAMES = 81
GRIDS = {"line": Grid((16,), (2 * math.pi,)), "no space": Grid((), ())}


class Turning:
    """A source: waves of one frequency on a grid, phases differ; one value for each field without space."""

    n_trajectories = 3

    def __init__(self, grid):
        self.problem = Problem(grid, (Field("u", "m/s"), Field("v", "K")), dt=0.1, n_frames=N_FRAMES)
        self.x = grid.coordinates(0) if grid.shape else torch.zeros((), dtype=torch.float64)

    def read(self, trajectory, frames):
        n = torch.arange(N_FRAMES)[frames].double()
        phase = self.x - math.pi / 8 * n.reshape(-1, *[1] * self.x.ndim) + trajectory
        u = torch.stack([torch.sin(phase), 2 * torch.cos(phase)], 1)[None].float()
        return Trajectory(u=u, t=(0.1 * n)[None], index=torch.tensor([trajectory]))


class Rotation(Surrogate):
    """The exact step (v = 2 cos where u = sin), or turned by another angle, with noise, or growing."""

    def __init__(self, problem, turn=math.pi / 8, noise=0.0, growth=1.0):
        super().__init__(problem, (1, 40))
        self.turn, self.noise, self.growth, self.stochastic = turn, noise, growth, noise > 0

    def calibrate(self, batches):
        pass

    def loss(self, batch):
        raise NotImplementedError

    def forecast(self, given, t, members=1, generator=None):
        frames, c, s = [given.u[:, -1]], math.cos(self.turn), math.sin(self.turn)
        for _ in range(t.shape[1]):
            sine, half = frames[-1][:, 0], frames[-1][:, 1] / 2
            frames.append(self.growth * torch.stack([sine * c - half * s, 2 * (half * c + sine * s)], 1))
        u = torch.stack(frames[1:], 1)
        return (u + self.noise * torch.randn(u.shape, generator=generator))[None]


def run(folder, grid, models, **options):
    source = Turning(grid)
    return evaluate({k: v(source.problem) for k, v in models.items()}, source, folder, progress=False, **options)


@pytest.mark.parametrize("name", GRIDS)
def test_statistics_are_in_the_scores(tmp_path, name):
    models = {
        "exact": Rotation,
        "slow": lambda p: Rotation(p, turn=math.pi / 16),
        "diverging": lambda p: Rotation(p, growth=1e3),
    }
    with run(tmp_path, GRIDS[name], models) as scores:
        assert len(scores.frequency) == frames_of(80) // 2 + 1 and scores.sizes["quantile"] == 32
        for measure in STATISTICS:
            if measure.whole_box and name == "no space":
                assert measure.name not in scores
                continue
            value = scores[measure.name]
            assert float(value.sel(model="exact").max()) < 1e-3, measure.name
            assert np.isinf(value.sel(model="diverging")).all(), measure.name
            assert (scores[f"{measure.name}_floor"] >= 0).all()
        assert ("correlation_dimension" in scores) == (name == "no space")
        if name == "no space":  # 40 frames of one point are no whole number of the slow model's periods
            return
        # a wave that is half as fast has the right values and spectra in space, not in time
        assert float(scores.one_point_wasserstein.sel(model="slow").max()) < 0.15
        assert float(scores.frequency_spectral_distance.sel(model="slow").min()) > 0.3
        period = 1.6  # 16 frames
        at = scores.frequency.values[scores.frequency_spectrum_reference.argmax("frequency")]
        np.testing.assert_allclose(at, 1 / period, atol=0.5 / (frames_of(80) * 0.1))
        # 1/omega for a wave
        np.testing.assert_allclose(scores.autocorrelation_time_reference, period / (2 * math.pi), rtol=0.02)
        np.testing.assert_allclose(scores.autocorrelation_time.sel(model="slow"), 2 * period / (2 * math.pi), rtol=0.1)


def test_members_and_parts_do_not_mix(tmp_path, monkeypatch):
    grid, models = GRIDS["line"], {"noisy": lambda p: Rotation(p, noise=0.1), "exact": Rotation}
    whole = run(tmp_path / "a", grid, models, members=2, batch_size=3, horizon=60)
    parts = run(tmp_path / "b", grid, models, members=2, batch_size=3, horizon=60)
    with whole, parts:
        for measure in STATISTICS:
            a, b = (scores[measure.name].sel(model="noisy").values for scores in (whole, parts))
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5)
            assert (a[0] != a[1]).all(), "members differ"
            floors = (scores[f"{measure.name}_floor"] for scores in (whole, parts))
            np.testing.assert_allclose(*floors, rtol=2e-4, atol=1e-5)


def test_a_window_is_the_last_half_of_the_horizon(tmp_path):
    grid, n = GRIDS["line"], frames_of(50)
    with run(tmp_path, grid, {"slow": lambda p: Rotation(p, turn=0.3)}, horizon=50, batch_size=1) as scores:
        source = Turning(grid)
        wanted = source.read(1, slice(1, 51))
        u = Rotation(source.problem, turn=0.3).forecast(source.read(1, slice(0, 1)), wanted.t)[0]
        windows = []
        for values in (u, wanted.u):
            window = Window(source.problem, points_of(source.problem, 1, n), spectral=True)
            window.update(Sums(values[:, -n:], source.problem))
            windows.append(window)
        assert n == 24
        for measure in STATISTICS:
            np.testing.assert_allclose(
                scores[measure.name][0, 0, 1], measure.function(*windows)[0], rtol=1e-3, atol=1e-6
            )


def test_a_short_horizon_has_none(tmp_path):
    with run(tmp_path, GRIDS["line"], {"exact": Rotation}, horizon=20) as scores:
        assert "frequency" not in scores.dims and "one_point_wasserstein" not in scores


class Fronts:
    """A source: the Kuramoto-Sivashinsky equation from random starts, after a warm-up."""

    n_trajectories = 8

    def __init__(self):
        self.pde, grid = KuramotoSivashinsky(), Grid((64,), (64.0,))
        self.problem = Problem(grid, self.pde.fields, dt=1.0, n_frames=241, pde=self.pde)
        u = torch.randn(8, 1, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        step, frames = etdrk(self.pde, grid, 0.1), []
        for n in range(1000 + 10 * 241):
            u = step(u)
            if n >= 1000 and n % 10 == 0:
                frames.append(u)
        self.u = torch.stack(frames, 1).float()

    def read(self, trajectory, frames):
        t = torch.arange(241)[frames].double()
        return Trajectory(u=self.u[trajectory : trajectory + 1, frames], t=t[None])


class Solver(Rotation):
    """The solver with a larger step, of the same equation or with another viscosity."""

    def __init__(self, problem, viscosity):
        super().__init__(problem)
        self.advance = etdrk(KuramotoSivashinsky(viscosity), problem.grid, 0.2)

    def forecast(self, given, t, members=1, generator=None):
        frames = [given.u[:, -1].double()]
        for n in range(5 * t.shape[1]):
            frames.append(self.advance(frames[-1]) if n % 5 == 0 else self.advance(frames.pop()))
        return torch.stack(frames[1:], 1).float()[None]


@pytest.mark.slow
def test_statistics_tell_another_viscosity_when_no_forecast_is_right_any_more(tmp_path):
    source = Fronts()
    models = {name: Solver(source.problem, nu) for name, nu in {"same": 1.0, "other": 1.3}.items()}
    with evaluate(models, source, tmp_path, progress=False) as scores:
        last = scores.nrmse.isel(time=-1).median(("member", "sample", "field"))
        assert (last > 0.5).all(), "both are as wrong as can be"
        for measure in STATISTICS:
            floor = float(scores[f"{measure.name}_floor"].median())
            value = scores[measure.name].isel(member=0).median([d for d in scores[measure.name].dims
                                                                if d in ("sample", "field")])  # fmt: skip
            assert float(value.sel(model="same")) < 1.2 * floor, measure.name
            if measure.name in ("frequency_spectral_distance", "time_mean_spectral_distance"):
                assert float(value.sel(model="other")) > 1.5 * floor, measure.name
        share = (scores.budget_imbalance / scores.budget_imbalance_scale).median(("sample", "time", "quantity"))
        assert float(share.sel(model="same")) < 0.01 < 0.03 < float(share.sel(model="other"))
