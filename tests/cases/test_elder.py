"""Elder's problem: exact diffusion, an independent pressure solve, balances, limits and the look of the fingers."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import spsolve
from scipy.special import erfc

from pdekit.calculus import FiniteDifference
from pdekit.cases.base import Draw
from pdekit.cases.elder import EXTENT, YEAR, ElderCase, PorousBox, _carried, _cells, _resampled, source
from pdekit.fields import Grid
from pdekit.pdes.elder import Elder

ORIGIN = (-150.0, -75.0)
DRAWN = Draw({"source_peak": 5.4e-3, "source_x": -40.0, "source_y": 10.0, "source_width": 40.0})


def grid(*shape):
    return Grid(shape, EXTENT, ORIGIN, ("cells", "cells"))


def centres(shape):
    x, y = grid(*shape).mesh()
    return x.numpy(), y.numpy()


def box(shape, strength=1.0, lake=True, with_source=False):
    s = source(DRAWN.params, *centres(shape)) if with_source else np.zeros(shape)
    return PorousBox(Elder(coupling=strength), shape, s, lake)


def blob(shape, x0=20.0, y0=30.0, width=20.0):
    x, y = centres(shape)
    return np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / width**2)


def pressure_flow(porous, c):
    """Face velocities from cell-centred pressures, by a sparse direct solve."""
    pde, (nx, ny), (dx, dy) = porous.pde, porous.shape, porous.spacing
    weight = pde.coupling * pde.contrast * pde.gravity
    mobility = pde.permeability / pde.viscosity

    def difference(n, h):
        return sp.diags_array([-np.ones(n - 1), np.ones(n - 1)], offsets=[0, 1], shape=(n - 1, n)) / h

    gx = sp.kron(difference(nx, dx), sp.eye_array(ny)).tocsr()
    gy = sp.kron(sp.eye_array(nx), difference(ny, dy)).tocsr()
    weights = (weight * (c[:, 1:] + c[:, :-1]) / 2).ravel()  # on the inner faces
    laplacian = (gx.T @ gx + gy.T @ gy).tolil()
    right = -(gy.T @ weights)
    laplacian[0], right[0] = 0, 0.0
    laplacian[0, 0] = 1.0
    p = spsolve(laplacian.tocsc(), right)
    u, v = np.zeros((nx + 1, ny)), np.zeros((nx, ny + 1))
    u[1:-1] = (-mobility * (gx @ p)).reshape(nx - 1, ny)
    v[:, 1:-1] = (-mobility * (gy @ p + weights)).reshape(nx, ny - 1)
    return u, v


def test_flow_is_that_of_a_pressure_solve():
    porous = box((20, 14))
    c = blob(porous.shape) + 0.1 * np.random.default_rng(0).random(porous.shape)
    for ours, theirs in zip(porous.velocity(c), pressure_flow(porous, c), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-10 * np.abs(theirs).max())


def test_flow_is_free_of_divergence_and_brine_sinks():
    porous = box((32, 24))
    u, v = porous.velocity(blob(porous.shape))
    dx, dy = porous.spacing
    divergence = (u[1:] - u[:-1]) / dx + (v[:, 1:] - v[:, :-1]) / dy
    assert np.abs(divergence).max() < 1e-13 * np.abs(v).max() / dy
    assert max(np.abs(u[[0, -1]]).max(), np.abs(v[:, [0, -1]]).max()) == 0
    i, j = np.unravel_index(blob(porous.shape).argmax(), porous.shape)
    assert v[i, j] < -0.3 * porous.pde.buoyancy and v[0].max() > 0


def test_diffusion_of_a_mode_is_exact_to_second_order():
    errors = []
    for n in (16, 32):
        porous = box((n, n), strength=0.0, lake=False)
        x, y = centres(porous.shape)
        kx, ky = 2 * np.pi / 300, 1.5 * np.pi / 150  # no flux at x = +-150 and at the top, 0 at the bottom
        mode = np.cos(kx * (x + 150)) * np.sin(ky * (y + 75))
        after = porous.march(mode, 10 * YEAR)
        errors.append(np.abs(after - mode * np.exp(-porous.pde.diffusivity * (kx**2 + ky**2) * 10 * YEAR)).max())
    assert errors[1] < 2e-3 and 1.7 < np.log2(errors[0] / errors[1]) < 2.4


def test_lake_without_coupling_diffuses_as_an_error_function():
    porous = box((32, 128), strength=0.0)
    c = porous.march(np.zeros(porous.shape), 4 * YEAR)
    _, y = centres(porous.shape)
    exact = erfc((75 - y[-1]) / np.sqrt(4 * porous.pde.diffusivity * 4 * YEAR))
    assert np.abs(c[-1] - exact).max() < 1e-3
    assert np.abs(porous.state(c)[:2]).max() == 0


def test_salt_is_balanced():
    porous = box((24, 16), with_source=True)
    c = porous.march(np.zeros(porous.shape), 2 * YEAR)
    dx, dy = porous.spacing
    fx, fy, _ = porous.fluxes(c)
    through_sides = ((fx[0] - fx[-1]) * dy).sum() + ((fy[:, 0] - fy[:, -1]) * dx).sum()
    gained = porous.pde.porosity * porous.rate(c)[0].sum() * dx * dy
    assert abs(gained - through_sides - porous.source.sum() * dx * dy) < 1e-12 * abs(gained)
    assert np.abs(fx[[0, -1]]).max() == 0 and (fy[porous.shape[0] // 2 :, -1] < 0).all()


def test_march_keeps_salt_that_touches_no_open_side():
    porous = box((32, 32), lake=False, with_source=True)
    start = np.where(centres(porous.shape)[1] > 20, blob(porous.shape), 0.0)
    inside = dataclasses.replace(porous, source=np.where(centres(porous.shape)[1] > 20, porous.source, 0.0))
    after = inside.march(start, 10 * 86400.0)
    expected = start.sum() + 10 * 86400.0 * inside.source.sum() / inside.pde.porosity
    assert after[:, 0].max() == 0 and abs(after.sum() - expected) < 1e-10 * expected


def test_no_new_extrema_arise():
    after = (porous := box((48, 32))).march(np.zeros(porous.shape), 6 * YEAR)
    assert after.min() >= 0 and 0.8 < after.max() <= 1


def test_mirrored_salt_gives_the_mirrored_flow():
    porous = box((24, 20), lake=False)
    c = blob(porous.shape) + 0.5 * blob(porous.shape, -80.0, 0.0)
    one, other = porous.march(c, YEAR), porous.march(c[::-1], YEAR)[::-1]
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_weakly_coupled_flow_is_linear_in_the_coupling():
    """u = coupling * (flow driven by what diffusion alone makes) up to the square of the coupling."""
    ended = {}
    for strength in (0.0, 1e-3, 2e-3):
        porous = box((24, 16), strength, with_source=True)
        ended[strength] = porous.march(np.zeros(porous.shape), 2 * YEAR)
    full = box((24, 16))
    u = full.velocity(ended[0.0])[1]
    ours = box((24, 16), 1e-3).velocity(ended[1e-3])[1]
    assert np.abs(ours - 1e-3 * u).max() < 0.01 * 1e-3 * np.abs(u).max()
    once, twice = (ended[s] - ended[0.0] for s in (1e-3, 2e-3))
    assert np.abs(twice - 2 * once).max() < 0.01 * np.abs(twice).max()


def test_error_falls_with_the_square_of_the_cells():
    frames = {}
    for cells in (16, 32, 96):
        case = ElderCase(coupling="weak", dt=3 * YEAR, n_frames=2, cells=cells)
        frames[cells] = case.solve(DRAWN, grid(16, 16)).u[1]
    size = np.linalg.norm(frames[96], axis=(1, 2))
    coarse, fine = (np.linalg.norm(frames[n] - frames[96], axis=(1, 2)) / size for n in (16, 32))
    assert (fine < (0.1, 0.12, 0.03)).all() and (np.log2(coarse / fine) > 1.4).all()


@pytest.fixture(scope="module")
def sample():
    return ElderCase(dt=2 * YEAR, n_frames=11, cells=48).solve(DRAWN, grid(24, 24))


@pytest.mark.slow
def test_fingers_sink_first_below_the_edge_of_the_lake(sample):
    _, v, c = sample.u.transpose(1, 0, 2, 3)
    x, y = centres((24, 24))
    assert np.abs(sample.u[0]).max() == 0
    middle = np.abs(y[0]).argmin()
    assert -20 < x[c[1, :, middle + 4].argmax(), 0] < 40
    depth = [y[frame > 0.3].min() for frame in c[1:4]]
    assert depth[0] > depth[1] > depth[2] and depth[2] < -40
    # where it is saltier than elsewhere at its height it sinks
    assert ((v * (c - c.mean(axis=1, keepdims=True)))[1:].sum(axis=(1, 2)) < 0).all()


def test_values_are_in_the_published_range(sample):
    """Colour bars of Multiphysics Bench: c from 0 to 1, |u| up to 4e-7 m/s, S up to 2e-10 1/s."""
    assert sample.u[:, 2].min() >= 0 and 0.9 < sample.u[:, 2].max() < 1
    assert 1.5e-7 < np.abs(sample.u[:, :2]).max() < 4e-7
    assert sample.coeffs.max() == pytest.approx(5.4e-3 / YEAR, rel=0.02) and sample.mask is None


def test_residual_falls_with_the_grid():
    """On the stored means, away from the lake, of each term's size; the solver's grid is the same."""
    found = []
    for n in (24, 48):
        case = ElderCase(dt=0.1 * YEAR, n_frames=9, cells=96)
        solved, points = case.solve(DRAWN, grid(n, n)), grid(n, n)
        d = FiniteDifference(points, 2, 9, 0.1 * YEAR, coeffs={"source": torch.from_numpy(solved.coeffs[None])})
        u = d.field(torch.from_numpy(solved.u))
        residual = case.pde.residual(u, d)[5:8]
        _, _, c = d.components(u)
        scale = torch.stack((d.y(u)[5:8, 1], case.pde.buoyancy * d.x(c)[5:8, 0], case.pde.porosity * d.t(c)[5:8, 0]), 1)
        inside = (..., slice(n // 12, -n // 12), slice(n // 12, -n // 6))
        found.append((residual[inside] ** 2).mean((0, 2, 3)).sqrt() / (scale[inside] ** 2).mean((0, 2, 3)).sqrt())
    assert (found[1] < 0.5 * found[0]).all() and (found[1] < 0.2).all(), found


@pytest.mark.slow
def test_resolution_of_the_recipe_is_that_of_the_card():
    """Means of three samples; the card says how far 96 cells are from 144."""
    errors = []
    for cells in (64, 96, 160):
        case = ElderCase(dt=2 * YEAR, n_frames=4, cells=cells)
        errors.append(case.solve(DRAWN, grid(32, 32)).u[3])
    coarse, fine = (np.linalg.norm(e - errors[2]) / np.linalg.norm(errors[2]) for e in errors[:2])
    assert fine < 0.2 and fine < 0.55 * coarse


def test_draws_are_in_range_and_the_same_for_every_coupling():
    draws = [ElderCase(coupling=name).draw(np.random.default_rng(3)) for name in ("off", "strong")]
    assert draws[0] == draws[1]
    many = [ElderCase().draw(np.random.default_rng(i)).params for i in range(200)]
    for name, (low, high) in {"source_peak": (1e-3, 8e-3), "source_y": (-30, 30), "source_width": (10, 70)}.items():
        values = np.array([one[name] for one in many])
        assert low < values.min() < low + 0.05 * (high - low) and high - 0.05 * (high - low) < values.max() < high


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="expected a coupling"):
        ElderCase(coupling="loud")
    with pytest.raises(ValueError, match="expected dt > 0"):
        ElderCase(n_frames=3)
    with pytest.raises(ValueError, match="expected a grid of cells with extent"):
        ElderCase().solve(DRAWN, Grid((8, 8), (300.0, 150.0)))


def test_description_names_the_source():
    assert "0.0054 per year at (-40, 10) m, 40 m wide" in Elder().describe(DRAWN.params)


@pytest.mark.parametrize(("refinement", "error"), [(2.0, 0.0), (1.0, 0.35), (0.5, 0.6), (0.25, 0.9), (0.01, 2.0)])
def test_a_solver_may_be_coarser_than_the_grid(refinement, error):
    """16 cells along either axis on a grid of 16 points; what is asked for below is a divisor, at least 4."""
    case = ElderCase(dt=YEAR, n_frames=3, cells=16)
    solved = case.solve(DRAWN, grid(16, 16), refinement)
    fine = case.solve(DRAWN, grid(16, 16), 2.0)
    np.testing.assert_array_equal(solved.coeffs, fine.coeffs)
    c, finest = solved.u[-1, 2], fine.u[-1, 2]
    assert np.linalg.norm(c - finest) <= error * np.linalg.norm(finest)


def test_interpolation_is_linear_and_means_are_means():
    x, y = centres((4, 6))
    u = 2 * x - 3 * y
    finer = _resampled(u[None], (12, 9))[0]
    fine_x, fine_y = centres((12, 9))
    inside = (np.abs(fine_x) < x.max()) & (np.abs(fine_y) < y.max())
    np.testing.assert_allclose(finer[inside], (2 * fine_x - 3 * fine_y)[inside], rtol=1e-12)
    np.testing.assert_allclose(_resampled(u, (2, 3)), u.reshape(2, 2, 3, 2).mean(axis=(1, 3)))
    assert [_cells(*pair) for pair in ((48, 96), (48, 97), (33, 60), (48, 24), (48, 12), (48, 1), (33, 8))] == [
        *(96, 144, 66, 24, 12, 4, 66)
    ]


@pytest.mark.parametrize("sign", [1, -1])
def test_transport_is_of_second_order_where_salt_is_monotone(sign):
    errors = []
    for n in (20, 40, 80):
        x = (np.arange(-1, n + 1) + 0.5) / n
        faces = np.arange(n + 1)[2:-2] / n
        found = _carried(np.full((n + 1, 1), 2.0 * sign), np.exp(x)[:, None])[2:-2, 0]
        errors.append(np.abs(found - 2 * sign * np.exp(faces)).max())
    assert errors[-1] < 2e-4 and (np.diff(np.log2(errors)) < -1.8).all()
