"""What a real field cannot show stays small: the two copies of a mode in a real transform agree."""

from functools import partial

import numpy as np
import pytest
import torch

from pdekit.fields import Grid
from pdekit.pdes import AllenCahn, NavierStokes2D
from pdekit.recipes.initial import GaussianRandomField
from pdekit.solvers import etdrk, imex, runge_kutta
from pdekit.solvers.spectral import keep_real, spectral_form


def asymmetry(u_hat):
    """Largest difference of u_hat(k) and conj u_hat(-k) in column 0 of the last axis."""
    plane = u_hat[:, :, ..., 0]
    axes = tuple(range(2, plane.ndim))
    return (plane - torch.roll(torch.flip(plane, axes), (1,) * len(axes), axes).conj()).abs().max()


@pytest.mark.parametrize("solver", [partial(etdrk, order=4), imex, runge_kutta], ids=["etdrk", "imex", "runge_kutta"])
@pytest.mark.parametrize("shape", [(24, 24), (10, 9, 12)])
def test_a_growing_mode_does_not_lose_its_symmetry(solver, shape):
    """exp(5 * 16) = 5e34: without the projection rounding has swamped the solution at t = 15."""
    pde = AllenCahn(diffusivity=0.01, reaction=5.0)
    grid = Grid(shape, (2.0,) * len(shape))
    start = GaussianRandomField(std=0.5, max_mode=2)(grid, pde.fields, np.random.default_rng(0))[None]
    step = solver(pde, grid, 0.1)
    state, mended = step.encode(start), step.encode(start)
    for _ in range(160):
        state = step.advance(state)
        mended = step.advance(step.encode(step.decode(mended)))
    assert asymmetry(state) < 1e-10
    torch.testing.assert_close(step.decode(state), step.decode(mended), rtol=0, atol=1e-9)


def test_nothing_is_paid_where_nothing_grows():
    form = spectral_form(NavierStokes2D(), Grid((16, 16), (1.0, 1.0)))
    assert not form.grows and keep_real(form, torch.sin) is torch.sin
    line = spectral_form(AllenCahn(), Grid((16,), (1.0,)))
    assert line.grows and keep_real(line, torch.sin) is torch.sin  # column 0 holds one mode only
