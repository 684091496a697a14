"""Diffusion-sorption: closed forms at both ends, the balance, similarity, PDEBench's discretisation in its layout."""

import h5py
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import erf, erfc, erfcx

from pdekit.boundaries import Dirichlet
from pdekit.cases.base import Draw
from pdekit.cases.diffusion_sorption import SorptionColumn
from pdekit.data.formats import recognised
from pdekit.fields import Grid
from pdekit.metrics.physics import has_residual
from pdekit.models.baselines.solver import Solver
from pdekit.pdes import DiffusionSorption
from pdekit.solvers.sorption import concentrations, ends_of, sorption
from tests.data.formats import published_pdebench


def column(n, upper=1.0):
    return Grid((n,), (upper,), layout=("cells",))


def test_both_ends_are_exact_without_a_dependence_of_the_retardation_on_u():
    """n = 1 is plain diffusion with kappa = D / R: from the held end erfc(s), s = x / sqrt(4 kappa t), and from the end
    u + D u_x = 0 at the distance y the share erf(s) + exp(-s^2) erfcx(s + sqrt(kappa t) / D) of the background (Carslaw
    and Jaeger 1959, section 2.7)."""
    pde, t, background = DiffusionSorption(exponent=1.0, diffusivity=5e-2), 0.3, 0.2
    kappa = pde.diffusivity / (1 + pde.capacity)
    errors = []
    for n in (64, 128):
        x = column(n).coordinates(0).numpy()
        found = concentrations(pde, np.full(n, background), 1.0, np.array([0.0, t]))[-1]
        near, far = (distance / np.sqrt(4 * kappa * t) for distance in (x, 1 - x))
        held = background + (1 - background) * erfc(near)
        lost = 1 - erf(far) - np.exp(-(far**2)) * erfcx(far + np.sqrt(kappa * t) / pde.diffusivity)
        errors.append(np.abs(found - (held - background * lost)).max())
    assert errors[1] < 4e-4 and 3.2 < errors[0] / errors[1] < 4.8  # second order


def test_what_is_stored_changes_by_what_crosses_the_ends():
    """Fluxes of both ends as the solver states them, by Simpson's rule over the time; and S' is R."""
    pde, n = DiffusionSorption(), 100
    times = np.linspace(0.0, 20.0, 401)
    u = concentrations(pde, np.linspace(0.9, 0.1, n), 1.0, times)
    entered = pde.diffusivity * (1 - u[:, 0]) * 2 * n - u[:, -1] / (1 + 1 / (2 * n * pde.diffusivity))
    weights = np.where(np.arange(401) % 2, 4.0, 2.0)
    weights[[0, -1]] = 1.0
    stored = pde.stored(u).mean(1)
    assert stored[-1] - stored[0] == pytest.approx((weights * entered).sum() * 0.05 / 3, rel=1e-4)
    assert (pde.stored(0.3 + 1e-6) - pde.stored(0.3 - 1e-6)) / 2e-6 == pytest.approx(pde.retardation(0.3), rel=1e-8)
    assert pde.retardation(1.0) == pytest.approx(1 + 0.71 / 0.29 * 2880 * 3.5e-4 * 0.874, abs=1e-5)


def test_a_front_depends_on_the_place_over_the_root_of_the_time():
    """u(x, 4 t) at 2 x is u(x, t) at x, whatever R, as long as the ends do not see each other."""
    u = concentrations(DiffusionSorption(), np.full(800, 0.05), 1.0, np.array([0.0, 10.0, 40.0]))
    stretched = u[2][: 2 * 300].reshape(300, 2).mean(1)
    assert u[1][0] > 0.95 and u[1][:300].min() < 0.06
    np.testing.assert_allclose(stretched, u[1][:300], rtol=0, atol=1e-3)


def published_column(path, n, background):
    """PDEBench's discretisation by Radau, in its layout: the values of the ends stand in ghost cells."""
    published_pdebench.seeded(path, (n,), 1, n=1, frames=5, box=(0.0, 1.0))
    times, h = np.linspace(0.0, 500.0, 5), 1 / n

    def rate(_, u):
        around = np.concatenate(([1.0], u, [5e-4 * (u[-2] - u[-1]) / h]))
        kept = 1 + 0.71 / 0.29 * 2880 * 3.5e-4 * 0.874 * (u + 1e-6) ** (0.874 - 1)
        return 5e-4 / kept * np.diff(around, 2) / h**2

    with h5py.File(path, "r+") as file:
        file["0000/grid/t"][...] = times
        made = solve_ivp(rate, (0, 500), np.full(n, background), "Radau", times, rtol=1e-6, atol=1e-8)
        file["0000/data"][...] = made.y.T[..., None]
    return recognised(path).open(path)["all"], times


def test_a_published_column_is_forecast_from_its_first_frame(tmp_path):
    """There the ends lie half a cell further out, so that the difference is of first order in the cells."""
    differences = []
    for n in (40, 120):
        source, _ = published_column(tmp_path / f"1D_diff-sorp_{n}.h5", n, 0.13)
        problem, batch = source.problem, source.read(0)
        stored = batch.u[0, :, 0].double().numpy()
        assert problem.boundary == (ends_of(DiffusionSorption()),) and problem.dt == 125.0
        assert problem.pde == DiffusionSorption() and has_residual(problem)
        later = Solver(problem).forecast(batch.frames(slice(0, 1)), batch.t[:, 1:])[0, 0, :, 0].double().numpy()
        found = np.concatenate((stored[:1], later))
        differences.append(np.abs(found - stored).max())
        assert np.abs(stored[-1] - stored[0]).max() > 0.5
    assert differences[1] < 0.02 and 2.5 < differences[0] / differences[1] < 3.5


def test_samples_differ_in_their_background_and_are_means_of_cells():
    case = SorptionColumn(dt=50.0, n_frames=3, cells=64)
    draws = [case.draw(np.random.default_rng(i)) for i in range(50)]
    starts = np.array([float(drawn.start(column(4))[0, 0]) for drawn in draws])
    assert starts.min() < 0.02 and 0.18 < starts.max() <= 0.2
    coarse, fine = (case.solve(draws[0], column(n)).u[:, 0] for n in (16, 64))
    np.testing.assert_allclose(fine.reshape(3, 16, 4).mean(2), coarse, rtol=0, atol=1e-12)
    assert case.solve(draws[0], column(16), 2.0).u.shape == (3, 1, 16)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"0 <= least <= most for the background, got 0\.3"):
        SorptionColumn(background=(0.3, 0.2))
    with pytest.raises(ValueError, match="expected dt > 0 between 3 frames"):
        SorptionColumn(n_frames=3)
    with pytest.raises(ValueError, match="expected cells of a line from 0"):
        SorptionColumn(dt=1.0, n_frames=2).solve(Draw({}), Grid((8,), (1.0,)))
    with pytest.raises(ValueError, match=r"expected the ends 'dirichlet 1' and 'robin 1 0\.0005 0', got"):
        sorption(DiffusionSorption(), column(8), 1.0, boundary=((Dirichlet(1.0), Dirichlet(0.0)),))
    with pytest.raises(ValueError, match="one equation and one step on cells of a line"):
        sorption(DiffusionSorption(), Grid((8,), (1.0,)), 1.0, boundary=(ends_of(DiffusionSorption()),))
