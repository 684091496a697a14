"""Autoencoder: its loss term by term, its reconstruction in physical units, a run of its own, refusals."""

import dataclasses
from functools import partial

import pytest
import torch
import xarray as xr

import pdekit
from pdekit.data.arrays import from_arrays
from pdekit.data.loading import Loading
from pdekit.evaluation.reconstruction import score_reconstruction
from pdekit.fields import Field, Grid
from pdekit.models.autoencoder import Autoencoder
from pdekit.models.sharpness import gradient_error, shell_energies, spectrum_error
from pdekit.nets.grid_autoencoder import GridAutoencoder
from tests.models.small import make_batch, make_problem

NET = partial(GridAutoencoder, widths=(4, 6), latent_channels=3)


class Perfect(torch.nn.Module):
    """Its latent values are the frames themselves, and a log variance that is given."""

    def __init__(self, log_variance=None, **sizes):
        super().__init__()
        self.log_variance = log_variance

    def coarse(self, n_times, space):
        return (n_times, *space)

    def encode(self, u):
        z = u.movedim(1, 2)
        return z if self.log_variance is None else torch.cat((z, torch.full_like(z, self.log_variance)), 1)

    def decode(self, z, n_times, space):
        return z.movedim(2, 1)


def made(problem, net=NET, **options):
    torch.manual_seed(0)
    model = Autoencoder(problem, net, **options).double()
    model.calibrate([make_batch(problem)])
    return model


def test_only_the_first_frames_are_learnt_and_compressed_at_once():
    """Statistics and loss are those of the first frames, the latent grid too; a trajectory is compressed in parts."""
    problem = make_problem()
    batch = make_batch(problem, 64)
    late = dataclasses.replace(batch, u=torch.cat((batch.u[:, :2], 1e3 + batch.u[:, 2:]), 1))
    torch.manual_seed(0)
    model = Autoencoder(problem, NET, kl=0.0, frames=2).double()
    assert model.n_frames == 2 and model.compression == Autoencoder(problem, NET, kl=0.0).compression / 3 * 2
    model.calibrate([late])
    torch.testing.assert_close(model.normaliser.mean, batch.u[:, :2].mean((0, 1, 3)), rtol=1e-12, atol=0)
    assert torch.equal(model.loss(late)[0], model.loss(batch)[0])
    parts = [model.reconstruct(late.frames(slice(n, n + 2))) for n in (0, 2, 4)]
    torch.testing.assert_close(model.reconstruct(late), torch.cat(parts, 1), rtol=1e-12, atol=1e-9)
    for wrong in (0, 7):
        with pytest.raises(ValueError, match=f"expected frames from 1 to 6, .* got {wrong}"):
            Autoencoder(problem, NET, frames=wrong)


def test_only_the_frames_that_are_learnt_are_scored(tmp_path):
    """Late frames, which an autoencoder with frames=2 has not seen, do not enter its scores."""
    u = torch.randn(4, 6, 1, 16, generator=torch.Generator().manual_seed(0))
    u[:, 2:] += 1e3
    data = from_arrays(u[:1], u[1:2], u[2:], dt=0.5, extent=(1.0,), layout=("periodic",))
    model = Autoencoder(data.problem, NET, kl=0.0, frames=2)
    data.set_window(*model.window)
    model.calibrate(data.calibration_batches())
    assert "reconstruction of 2 test trajectories, the first 2 of 6 frames" in score_reconstruction(
        model, data, tmp_path
    )
    with xr.open_dataset(tmp_path / "reconstruction.nc", engine="h5netcdf") as scores:
        assert scores.time.values.tolist() == [0.0, 0.5]
        error = (model.reconstruct(data.test.trajectories([0, 1]).frames(slice(2))) - u[2:, :2]).square().mean((2, 3))
        torch.testing.assert_close(
            torch.from_numpy(scores.nrmse.values[..., 0]), (error / u[2:, :2].square().mean((2, 3))).sqrt()
        )


def test_the_loss_is_error_and_divergence():
    problem = make_problem()
    batch = make_batch(problem, 64)
    assert made(problem, Perfect, kl=0.0, gradient=1.0, spectral=1.0).loss(batch)[0].item() < 1e-20
    model = made(problem, partial(Perfect, log_variance=-2.0), kl=0.5)
    inner = model.normaliser.encode(batch.u)
    loss, numbers = model.loss(batch)
    variance = torch.tensor(-2.0, dtype=torch.float64).exp()
    torch.testing.assert_close(numbers["error"], variance, rtol=0.05, atol=0)
    divergence = 0.5 * (inner.square().mean() + variance - 1 + 2.0)
    torch.testing.assert_close(numbers["kl"], divergence, rtol=1e-12, atol=0)
    torch.testing.assert_close(loss, numbers["error"] + 0.5 * divergence, rtol=1e-12, atol=0)
    torch.testing.assert_close(model.reconstruct(batch), batch.u, rtol=0, atol=1e-9)


def test_sharpness_weighs_small_scales():
    x = torch.arange(16, dtype=torch.float64) / 16 * 2 * torch.pi
    r = (torch.sin(x) + 0.1 * torch.sin(6 * x)).reshape(1, 1, 1, 16)
    smooth = torch.sin(x).reshape(1, 1, 1, 16)
    energies = shell_energies(r)[0, 0]
    torch.testing.assert_close(energies[[1, 6]], torch.tensor([0.5, 0.005], dtype=torch.float64))
    assert energies.sum() == pytest.approx(r.square().mean().item(), rel=1e-12)  # Parseval
    assert gradient_error(smooth, r) > 10 * (smooth - r).square().mean() / r.square().mean()
    assert spectrum_error(smooth, r) > 10 > 1e-12 > spectrum_error(r, r)
    volume = torch.randn(2, 3, 1, 6, 8, 4, dtype=torch.float64)
    assert shell_energies(volume).shape == (2, 1, 5)


def test_forecasts_are_refused_and_so_are_problems_without_trajectories():
    batch = make_batch(make_problem())
    with pytest.raises(ValueError, match=r"expected a method that forecasts, got an autoencoder.*reconstruct"):
        made(make_problem()).forecast(batch.frames(slice(0, 0)), batch.t)
    with pytest.raises(ValueError, match="expected a problem in time, got a steady one"):
        made(make_problem(n_frames=1, dt=None, coeffs=(Field("c"),)))
    with pytest.raises(ValueError, match="expected a problem on a uniform grid with axes"):
        made(make_problem(grid=Grid((), ())))
    with pytest.raises(ValueError, match="weights kl, gradient and spectral >= 0"):
        made(make_problem(), kl=-1.0)
    with pytest.raises(ValueError, match="multiples of 4"):
        made(make_problem(grid=Grid((10,), (1.0,))))


@pytest.mark.slow
def test_a_run_of_its_own_is_scored_by_its_reconstructions(tmp_path):
    """A travelling wave is compressed by 4 with a small error; the scores name fields and shells."""
    phase = torch.rand(12, generator=torch.Generator().manual_seed(0)) * 6.28
    x, t = torch.arange(16) / 16 * 6.28318, torch.arange(8.0)
    u = torch.sin(x - 0.3 * t[:, None] + phase[:, None, None])[:, :, None]
    data = from_arrays(
        u[:8], u[8:10], u[10:], dt=1.0, extent=(6.28318,), layout=("periodic",), loading=Loading(batch_size=4)
    )
    model = Autoencoder(data.problem, partial(GridAutoencoder, widths=(8, 8), latent_channels=4, time_halvings=1))
    overrides = ["training.steps=80", "training.lr=1e-2", "training.ema=0", f"runs_dir={tmp_path}"]
    run = pdekit.train(model, data, overrides)
    assert model.compression == 8 * 16 / (4 * 4 * 4)
    with xr.open_dataset(run.path / "reconstruction.nc", engine="h5netcdf") as scores:
        assert scores.nrmse.dims == ("sample", "time", "field") and scores.compression == 2.0
        assert float(scores.nrmse.median()) < 0.25
        assert scores.shell_error.sizes["shell"] == 9 and float(scores.shell_error[..., 1].max()) < 1.0
        assert scores.shell_error[..., 4:].isnull().all(), "the wave has one wavenumber: the other shells are empty"
    again = pdekit.load(run.path).model
    batch = data.test.trajectories([0])
    assert torch.equal(again.reconstruct(batch), run.model.reconstruct(batch))
