"""Spectra and fluxes of flows: what triads pass on, sums that vanish, signs, and where they are defined."""

import math

import pytest
import torch

from pdekit.calculus import Fourier
from pdekit.fields import Field, Grid, Problem
from pdekit.metrics.flows import cascade, is_flow
from pdekit.metrics.spectra import energy_spectrum
from pdekit.pdes import NavierStokes2D
from pdekit.solvers import etdrk

BOX = 2 * math.pi
VELOCITY = (Field("velocity_x", "m/s", vector="velocity"), Field("velocity_y", "m/s", vector="velocity"))
VORTICITY = (Field("vorticity", "1/s"),)
GRIDS = [Grid((16, 16), (BOX, BOX)), Grid((15, 20), (1.0, 3.0)), Grid((9, 7), (2.0, 1.0))]


def problem_on(grid, fields=VORTICITY):
    return Problem(grid, fields, dt=1.0, n_frames=2)


def rough(grid, seed=0):
    """Every mode is filled, up to the last."""
    return torch.randn(2, 3, 1, *grid.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("grid", GRIDS, ids=lambda g: str(g.shape))
def test_advection_makes_neither_energy_nor_enstrophy(grid):
    found = cascade(rough(grid), problem_on(grid))
    for flux in (found.energy_flux, found.enstrophy_flux):
        assert (flux.abs().amax(-1) > 1e-6 * flux.abs().max()).all()
        assert (flux[..., -1].abs() < 1e-12 * flux.abs().amax(-1)).all(), "all that leaves a shell arrives"


def test_spectra_add_up_to_what_there_is():
    grid = GRIDS[2]  # odd: no Nyquist modes
    w = rough(grid)
    found = cascade(w, problem_on(grid))
    centred = w - w.mean((-2, -1), keepdim=True)
    torch.testing.assert_close(found.enstrophy[..., 1:], energy_spectrum(w, None, problem_on(grid))[:, :, 0, 1:])
    d = Fourier(grid)
    psi = d.poisson("streamfunction", d.field(-centred.flatten(0, 1)))
    speed = (d.x(psi).samples ** 2 + d.y(psi).samples ** 2).mean((-2, -1)) / 2
    torch.testing.assert_close(found.energy.sum(-1).flatten(), speed.flatten())


@pytest.mark.parametrize("grid", [GRIDS[0], GRIDS[1]], ids=lambda g: str(g.shape))
def test_velocity_and_vorticity_tell_the_same(grid):
    w = torch.cos(BOX / grid.extent[0] * 2 * grid.mesh()[0]) * torch.sin(BOX / grid.extent[1] * grid.mesh()[1] + 1)
    w = (w + torch.sin(BOX / grid.extent[0] * grid.mesh()[0])).expand(1, 2, 1, *grid.shape)
    d = Fourier(grid)
    a, b = NavierStokes2D().velocity(d.field(w.flatten(0, 1)), d)
    velocity = torch.cat([a.samples, b.samples], 1).unflatten(0, (1, 2)) + 0.7  # a mean flow carries, and no more
    by_velocity, by_vorticity = cascade(velocity, problem_on(grid, VELOCITY)), cascade(w, problem_on(grid))
    for name in ("energy", "enstrophy", "energy_flux", "enstrophy_flux"):
        torch.testing.assert_close(getattr(by_velocity, name), getattr(by_vorticity, name), rtol=1e-10, atol=1e-13)


def test_a_triad_by_hand():
    # w = a cos(p.x) + b cos(q.x): N = -u.grad w puts the mode p + q, and nothing yet receives it; add w_r cos(r.x + s)
    grid = Grid((32, 32), (BOX, BOX))
    x, y = grid.mesh()
    p, q = (1, 2), (3, -1)
    r = (4, 1)
    waves = [torch.cos(k[0] * x + k[1] * y + phase) for k, phase in ((p, 0.0), (q, 0.0), (r, 0.4))]
    w = sum(a * wave for a, wave in zip((1.0, 0.7, 0.5), waves, strict=True))
    found = cascade(w.expand(1, 1, 1, 32, 32), problem_on(grid))
    transfer = -found.enstrophy_flux[0, 0].diff(prepend=torch.zeros(1, dtype=torch.float64))
    # the mean of w_r times -u.grad w, with velocities of each wave by hand: psi = w / k^2, u = (psi_y, -psi_x)
    total = torch.zeros_like(w)
    for a, k, phase in ((1.0, p, 0.0), (0.7, q, 0.0), (0.5, r, 0.4)):
        psi_slope = -a * torch.sin(k[0] * x + k[1] * y + phase) / (k[0] ** 2 + k[1] ** 2)
        for b, m, other in ((1.0, p, 0.0), (0.7, q, 0.0), (0.5, r, 0.4)):
            slope = -b * torch.sin(m[0] * x + m[1] * y + other)
            total -= (k[1] * psi_slope) * (m[0] * slope) - (k[0] * psi_slope) * (m[1] * slope)
    by_hand = (0.5 * waves[2] * total).mean()
    shell = round(math.hypot(*r))
    assert transfer[shell].item() == pytest.approx(by_hand.item(), rel=1e-10) and abs(by_hand) > 1e-3


def test_spectra_of_an_ideal_flow_change_by_the_fluxes_alone():
    pde, grid, dt = NavierStokes2D(viscosity=0.0), Grid((32, 32), (BOX, BOX)), 1e-3
    d = Fourier(grid)
    noise = d.field(torch.randn(2, 1, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(3)))
    low = (sum(m**2 for m in d.modes) < 26).to(noise.spectrum)  # so that the solver resolves every product
    frames, step = [d.from_spectrum(noise.spectrum * low).samples], etdrk(pde, grid, dt)
    for _ in range(2):
        frames.append(step(frames[-1]))
    found = cascade(torch.stack(frames, 1), problem_on(grid))
    for stored, flux in ((found.energy, found.energy_flux), (found.enstrophy, found.enstrophy_flux)):
        change = (stored[:, 2] - stored[:, 0]) / (2 * dt)
        transfer = -flux[:, 1].diff(prepend=torch.zeros(2, 1, dtype=torch.float64))
        torch.testing.assert_close(change, transfer, rtol=1e-4, atol=1e-5 * float(transfer.abs().max()))


def test_turbulence_sends_enstrophy_down_and_energy_up():
    pde, grid = NavierStokes2D(viscosity=2e-3), Grid((64, 64), (BOX, BOX))
    generator = torch.Generator().manual_seed(0)
    d = Fourier(grid)
    noise = d.field(torch.randn(4, 1, 64, 64, dtype=torch.float64, generator=generator))
    square = sum(m**2 for m in d.modes)
    w = d.from_spectrum(noise.spectrum * torch.exp(-((square.sqrt() - 8) ** 2) / 4)).samples
    w = 3 * w / w.std()
    step = etdrk(pde, grid, 0.02)
    for _ in range(50):
        w = step(w)
    found = cascade(w[:, None], problem_on(grid))
    energy, enstrophy = found.energy_flux.mean((0, 1)), found.enstrophy_flux.mean((0, 1))
    assert energy[4:7].max() < 0 < enstrophy[10:20].min()


def test_units_and_divergence():
    grid = GRIDS[0]
    w = rough(grid)
    a, b = cascade(w, problem_on(grid)), cascade(10 * w, problem_on(grid))
    torch.testing.assert_close(b.energy, 100 * a.energy)
    torch.testing.assert_close(b.enstrophy_flux, 1000 * a.enstrophy_flux)
    w[1, 2, 0, 3, 3] = math.nan
    for values in (cascade(w, problem_on(grid)).energy, cascade(w, problem_on(grid)).energy_flux):
        assert values[1, 2].isinf().all() and values[1, :2].isfinite().all() and values[0].isfinite().all()


def test_where_it_is_defined():
    assert is_flow(problem_on(GRIDS[0])) and is_flow(problem_on(GRIDS[1], (*VELOCITY, Field("smoke"))))
    assert not is_flow(problem_on(GRIDS[0], (Field("depth"),)))
    assert not is_flow(problem_on(Grid((8,), (1.0,))))
    assert not is_flow(problem_on(Grid((8, 8), (1.0, 1.0), layout=("periodic", "cells"))))
