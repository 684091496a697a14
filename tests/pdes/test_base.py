"""What equations share: integrals, closed forms, residuals on stored data, the kinds."""

import pytest
import torch

from pdekit.calculus import FiniteDifference, Fourier
from pdekit.fields import Grid
from pdekit.pdes import Burgers, Diffusion, GrayScott, Lorenz96, NavierStokes2D, NonlinearSchroedinger, WaveEquation
from pdekit.pdes.base import integral
from pdekit.pdes.jacobi import elliptic_sine, quarter_period
from pdekit.solvers import etdrk, integrate


def test_integral_of_each_layout():
    for layout in ("periodic", "cells", "nodes", "half_open"):
        grid = Grid((64, 32), (2.0, 3.0), layout=(layout, layout))
        assert float(integral(torch.full((1, 64, 32), 2.0, dtype=torch.float64), grid)) == pytest.approx(12.0)


def test_integral_of_boxes_that_vary():
    lengths = torch.tensor([2.0, 5.0], dtype=torch.float64)
    u = torch.ones(2, 16, 8, dtype=torch.float64)
    total = integral(u, Grid((16, 8), (lengths.reshape(2, 1, 1, 1), 3.0)))
    assert total.tolist() == pytest.approx([6.0, 15.0])


def test_closed_forms_on_a_grid_have_the_shape_of_a_state():
    solution = NavierStokes2D().exact()[0]
    assert solution.ndim == 2 and solution.on(solution.grid(8, 6), 0.5).shape == (1, 1, 8, 6)
    alike = Lorenz96().exact()[0]
    assert alike.on(alike.grid(), 0.0).shape == (1, 40)


@pytest.mark.parametrize("calculus", [Fourier, FiniteDifference])
def test_the_residual_of_stored_frames_falls_with_the_square_of_their_distance(calculus):
    pde = Burgers(0.1)
    solution = pde.exact()[0]
    grid, sizes = solution.grid(128), []
    for frames in (21, 41):
        dt = 0.2 / (frames - 1)
        u = torch.cat([solution.on(grid, 0.2 + i * dt) for i in range(frames)])
        d = calculus(grid, frames=frames, dt=dt)
        residual = pde.residual(d.field(u), d)
        residual = residual if isinstance(residual, torch.Tensor) else residual.samples
        sizes.append(float(residual.abs().max() / d_t_size(u, dt)))
    assert sizes[1] < 4e-3 and 3.4 < sizes[0] / sizes[1] < 4.6


def d_t_size(u, dt):
    return (u[1:] - u[:-1]).abs().max() / dt


def test_a_linear_equation_has_no_nonlinear_part():
    grid = Grid((8,), (1.0,))
    d = Fourier(grid)
    u = d.field(torch.rand(1, 1, 8, dtype=torch.float64))
    assert float(Diffusion().nonlinear(u, d).samples.abs().max()) == 0


def test_a_mean_velocity_carries_the_displacement_away():
    """The mode 0 of the wave equation is a Jordan block: u grows in proportion to t."""
    u = torch.cat((torch.zeros(1, 1, 8), torch.ones(1, 1, 8)), dim=1).double()
    end = etdrk(WaveEquation(), Grid((8,), (1.0,)), 0.5)(u)
    assert end[0, 0].tolist() == pytest.approx([0.5] * 8) and end[0, 1].tolist() == pytest.approx([1.0] * 8)


def test_modulation_instability_grows_at_the_predicted_rate():
    """A plane wave of amplitude A: the mode k grows at k sqrt(D (2 g A^2 - D k^2)), and is stable where that is
    imaginary."""
    pde, amplitude = NonlinearSchroedinger(0.7, 1.3), 0.9
    for k, unstable in ((1.0, True), (2.0, False)):
        grid = Grid((32,), (2 * torch.pi / k,))
        seed = 1e-6 * torch.cos(k * grid.coordinates(0))
        u = torch.stack((amplitude + seed, seed))[None]
        density = (integrate(etdrk(pde, grid, 0.04), u, 41, 4)[0] ** 2).sum(dim=1)
        size = torch.fft.rfft(density)[:, 1].abs()
        square = 0.7 * (2 * 1.3 * amplitude**2 - 0.7 * k**2) * k**2
        if unstable:
            assert float(torch.log(size[-1] / size[-11]) / 1.6) == pytest.approx(square**0.5, rel=1e-3)
        else:
            assert square < 0 and float(size.max() / size[0]) < 3


def test_gray_scott_spots_feed_on_u():
    """The reaction takes from u what it gives to v, and the feed alone changes their sum where diffusion does not."""
    pde = GrayScott(1e-5, 1e-5, 0.03, 0.06)
    grid = Grid((16,), (1.0,))
    d = Fourier(grid)
    u = 0.5 + 0.2 * torch.rand(1, 2, 16, dtype=torch.float64)
    change = pde.rhs(d.field(u), d).samples.mean(dim=-1).sum()
    assert float(change) == pytest.approx(float((0.03 * (1 - u[:, 0]) - 0.09 * u[:, 1]).mean()), rel=1e-12)


def test_lorenz_96_keeps_the_sum_of_squares_but_for_friction_and_forcing():
    """d/dt of half the sum of x^2 is -sum of x^2 + F sum of x."""
    pde, d = Lorenz96(8.0, 7), Fourier(Grid((), ()))
    x = torch.randn(3, 7, dtype=torch.float64)
    rate = (x * pde.rhs(d.field(x), d).samples).sum(dim=1)
    assert torch.allclose(rate, -(x**2).sum(dim=1) + 8 * x.sum(dim=1), rtol=1e-12)


def test_lorenz_96_needs_four_sites():
    with pytest.raises(ValueError, match="at least 4 sites, got 3"):
        Lorenz96(n_sites=3)


def test_elliptic_sine_is_that_of_scipy():
    special = pytest.importorskip("scipy.special")
    x = torch.linspace(-7, 7, 101, dtype=torch.float64)
    for m in (0.1, 0.5, 0.9, 0.999):
        assert quarter_period(m) == pytest.approx(special.ellipk(m), rel=1e-14)
        assert float((elliptic_sine(x, m) - torch.as_tensor(special.ellipj(x.numpy(), m)[0])).abs().max()) < 1e-13


def test_integral_on_nodes_is_the_trapezoidal_rule():
    grid = Grid((6, 4), (1.0, 2.0), layout=("nodes", "cells"))
    x, y = grid.mesh()
    found = integral((x**2 * (1 + y))[None], grid)
    assert found.item() == pytest.approx((1 / 3 + 1 / 150) * 4, rel=1e-12)
