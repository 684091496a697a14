"""The same trajectories on another grid, models that go with them, and those that do not."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
import xarray as xr

from pdekit.calculus.resample import bring
from pdekit.data.arrays import from_arrays
from pdekit.evaluation.checks import check_problem
from pdekit.evaluation.references.resampled import Resampled
from pdekit.evaluation.resolutions import across_resolutions, sizes_of
from pdekit.fields import Field, Grid, Points, Problem, Trajectory
from pdekit.models.baselines.mean import Mean
from pdekit.models.baselines.persistence import Persistence
from pdekit.models.one_step import OneStep
from pdekit.models.resolution import at_resolution
from pdekit.nets.fno import FNO
from pdekit.nets.unet import UNet
from pdekit.pdes import ShallowWater

L = 2 * math.pi


def waves(n: int) -> torch.Tensor:
    """Band-limited below mode 4, "batch channel x"."""
    x = torch.arange(n, dtype=torch.float64) * L / n
    return torch.stack([torch.sin(x) + torch.cos(3 * x), 2 + torch.sin(2 * x + 1)])[None]


@pytest.mark.parametrize("n", [9, 12, 16, 33, 64])
def test_periodic_fields_are_the_same_function_at_other_points(n):
    torch.testing.assert_close(bring(waves(16), Grid((16,), (L,)), (n,)), waves(n), rtol=1e-12, atol=1e-12)


def test_nodes_are_taken_and_cells_averaged():
    u = torch.arange(9.0).reshape(1, 1, 9)
    assert bring(u, Grid((9,), (1.0,), layout=("nodes",)), (5,)).flatten().tolist() == [0, 2, 4, 6, 8]
    cells = bring(u[..., :8], Grid((8,), (1.0,), layout=("cells",)), (4,))
    assert cells.flatten().tolist() == [0.5, 2.5, 4.5, 6.5]
    ends = bring(u[..., :8], Grid((8,), (1.0,), layout=("half_open",)), (4,))
    assert ends.flatten().tolist() == [0, 2, 4, 6]


@pytest.mark.parametrize(
    ("layout", "shape", "averages", "said"),
    [
        ("nodes", 17, False, "at most 9 points on an axis of values at nodes, got 17: nothing is known between them"),
        ("nodes", 4, False, "choose an integer ratio"),
        ("periodic", 18, True, "at most 9 points on an axis of averages over cells"),
    ],
)
def test_what_is_not_known_is_not_made_up(layout, shape, averages, said):
    with pytest.raises(ValueError, match=said):
        bring(torch.zeros(1, 1, 9), Grid((9,), (1.0,), layout=(layout,)), (shape,), averages)


def test_a_source_on_another_grid():
    problem = Problem(
        Grid((9, 5), (1.0, 1.0), layout=("nodes", "nodes")), (Field("T"),), coeffs=(Field("k"),), has_mask=True
    )
    u = torch.arange(45.0).reshape(1, 1, 1, 9, 5)

    class Source:
        n_trajectories = 1

        def read(self, trajectory, frames=slice(None)):
            return Trajectory(u[:, frames], torch.zeros(1, 1), coeffs=u[:, 0] + 1, mask=(u[:, 0] > 7).float())

    source = Source()
    source.problem = problem
    found = Resampled(source, (5, 3)).read(0)
    assert torch.equal(found.u, u[..., ::2, ::2]) and torch.equal(found.coeffs, u[:, 0, :, ::2, ::2] + 1)
    assert torch.equal(found.mask, (u[:, 0, :, ::2, ::2] > 7).float())
    source.problem = dataclasses.replace(problem, grid=Grid((9, 5), (1.0, 1.0)), boundary=())
    with pytest.raises(ValueError, match="expected no mask on a grid of periodic"):
        Resampled(source, (18, 10))
    source.problem = Problem(Points(2, 9), (Field("T"),))
    with pytest.raises(ValueError, match="expected a uniform grid, got Points"):
        Resampled(source, (4,))


def problem(n: int = 16) -> Problem:
    return Problem(Grid((n,), (L,)), (Field("u"), Field("v")), dt=0.5, n_frames=5)


def test_an_fno_is_the_same_operator_on_every_grid():
    """Without its pointwise nonlinearities it would be so exactly; with little amplitude it nearly is."""
    torch.manual_seed(0)
    model = OneStep(problem(), lambda **known: FNO(**known, width=4, modes=3, n_layers=1)).double()
    for n in (31, 32, 64):
        other = at_resolution("fno", model, (n,))
        assert other.problem.grid.shape == (n,) and model.problem.grid.shape == (16,)
        given = Trajectory(0.01 * waves(64)[None], torch.zeros(1, 1, dtype=torch.float64))
        t = torch.full((1, 1), 0.5, dtype=torch.float64)
        fine = at_resolution("fno", model, (64,)).forecast(given, t)[0, :, 0]
        here = other.forecast(dataclasses.replace(given, u=0.01 * waves(n)[None]), t)[0, :, 0]
        torch.testing.assert_close(bring(fine, Grid((64,), (L,)), (n,)), here, rtol=0, atol=2e-6)


def test_models_that_know_one_grid_say_so():
    with pytest.raises(
        ValueError, match="expected a method whose net takes any grid, got Mean for 'mean': it was made"
    ):
        at_resolution("mean", Mean(problem()), (32,))
    unet = OneStep(problem(), lambda **known: UNet(**known, width=4, multipliers=(1, 2, 2)))
    assert at_resolution("unet", unet, (16,)) is unet
    with pytest.raises(ValueError, match=r"halved|divisible|multiple"):
        at_resolution("unet", unet, (18,))


def test_another_number_of_points_is_another_resolution():
    with pytest.raises(ValueError, match="set resolution=16 or resolution=32 to evaluate it there"):
        check_problem("fno", problem(16), problem(32))
    check_problem("fno", problem(16), problem(32), any_shape=True)
    other = dataclasses.replace(problem(32), grid=Grid((32,), (1.0,)))
    with pytest.raises(ValueError, match=r"expected data with the grid .* evaluate it on data of its own problem"):
        check_problem("fno", problem(16), other, any_shape=True)


def test_errors_across_resolutions():
    """Of models whose errors are known: persistence of a wave that moves, and nets that refuse what they refuse."""
    n = np.arange(5)[:, None]
    x = np.arange(16) * L / 16
    u = np.stack([np.sin(x - 0.1 * n), 0 * x + np.cos(2 * x - 0.2 * n)], 1)[None].repeat(3, 0).astype(np.float32)
    data = from_arrays(train=u, test=u, dt=0.5, extent=(L,), fields=["u", "v"])
    source = data.sources["test"]
    models = {
        "persistence": Persistence(source.problem),
        "unet": OneStep(source.problem, lambda **known: UNet(**known, width=4, multipliers=(1, 2))),
    }
    assert sizes_of(Grid((16,), (1.0,)), (0.5, 1.0, 2.0)) == [(8,), (9,), (16,), (17,), (32,), (33,)]
    table = across_resolutions(models, source, None, (0.5, 1.0, 2.0), horizon=3)
    assert table.resolution.values.tolist() == ["8", "9", "16", "17", "32", "33"]
    assert table.resolution_time.values.tolist() == pytest.approx([0.5, 1.5])
    still = table.nrmse_by_resolution.sel(model="persistence")
    chord = [(2 * math.sin(0.05 * k) + 2 * math.sin(0.1 * k)) / 2 for k in (1, 3)]
    np.testing.assert_allclose(still, np.broadcast_to(chord, (6, 3, 2)), rtol=1e-4)
    unet = table.nrmse_by_resolution.sel(model="unet")
    refused = json.loads(table.nrmse_by_resolution.attrs["absent"])
    assert set(refused) == {"9", "17", "33"} and set(refused["9"]) == {"unet"}
    assert (
        unet.sel(resolution=["9", "17", "33"]).isnull().all() and unet.sel(resolution=["8", "16", "32"]).notnull().all()
    )


def test_grids_that_the_reference_does_not_have():
    u = np.random.default_rng(0).standard_normal((2, 4, 3, 12, 12)).astype(np.float32)
    water = from_arrays(train=u, test=u, dt=0.5, extent=(1.0, 1.0), pde=ShallowWater()).sources["test"]
    table = across_resolutions({"persistence": Persistence(water.problem)}, water, None, (1 / 3, 2.0), horizon=2)
    assert table.nrmse_by_resolution.sel(resolution="4²").notnull().all()
    refused = json.loads(table.nrmse_by_resolution.attrs["absent"])
    assert set(refused) == {"5²", "24²", "25²"} and "averages over cells" in refused["24²"]["persistence"]
    assert isinstance(table, xr.Dataset)
