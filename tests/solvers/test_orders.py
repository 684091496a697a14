"""Every periodic scheme converges at its declared order, to the same solution as a fine ETDRK4."""

from functools import partial
from math import log2, pi

import pytest
import torch

from pdekit.fields import Grid
from pdekit.pdes import KuramotoSivashinsky
from pdekit.pdes.burgers import Burgers
from pdekit.solvers import etdrk, imex, integrate, runge_kutta
from pdekit.solvers.tableaux import EXPLICIT, IMEX

SCHEMES = {
    **{f"etdrk{order}": (partial(etdrk, order=order), order) for order in (1, 2, 3, 4)},
    **{f"imex {name}": (partial(imex, scheme=name), table.order) for name, table in IMEX.items()},
    **{f"explicit {name}": (partial(runge_kutta, scheme=name), table.order) for name, table in EXPLICIT.items()},
}
# relative error allowed at the finer of two steps, for a scheme of order 1, 2, 3, 4
BARS = {
    "ks": (2e-3, 5e-6, 1e-7, 4e-10),
    "burgers": (5e-3, 1e-4, 5e-7, 3e-8),
    "sound": (1e-2, 2e-4, 2e-5, 1e-7),
}


@pytest.fixture(scope="module")
def problems():
    """name -> (pde, grid, start, time, steps, reference); filled by the first test that asks."""
    return {}


def problem(name, known, smooth, sound_waves):
    if name not in known:
        line = Grid((64,), (2 * pi,))
        x = line.coordinates(0)
        if name == "ks":
            pde, grid, t, n = KuramotoSivashinsky(), Grid((32,), (22.0,)), 2.0, 160
            u = integrate(etdrk(pde, grid, 0.05), smooth(grid), 2, 1000)[:, -1]  # on the attractor
        elif name == "burgers":
            pde, grid, t, n = Burgers(viscosity=0.1), line, 1.0, 80
            u = (torch.sin(x) + 0.3 * torch.cos(2 * x)).reshape(1, 1, -1)
        else:
            pde, grid, t, n = sound_waves(), Grid((32,), (2 * pi,)), 0.25, 40
            u = 0.3 * smooth(grid, 1, 2, 3)
        reference = integrate(etdrk(pde, grid, t / (16 * n)), u, 2, 16 * n)[:, -1]
        known[name] = (pde, grid, u, t, n, reference)
    return known[name]


@pytest.mark.parametrize("name", BARS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_error_falls_at_the_declared_order(scheme, name, problems, smooth, sound_waves):
    pde, grid, u, t, n, reference = problem(name, problems, smooth, sound_waves)
    make, order = SCHEMES[scheme]

    def error(steps):
        end = integrate(make(pde, grid, t / steps), u, 2, steps)[:, -1]
        return float((end - reference).norm() / reference.norm())

    coarse, fine = error(n), error(2 * n)
    assert order - 0.3 < log2(coarse / fine) < order + 0.4
    assert fine < BARS[name][order - 1]


@pytest.mark.parametrize("make", [partial(etdrk, order=4), partial(imex, scheme="ark4")], ids=["etdrk4", "ark4"])
def test_stiffness_does_not_limit_the_step(make, smooth):
    """KS with 512 modes on L = 64: dt |L| is 1.6e5 at dt = 0.05, where an explicit scheme blows up at once."""
    pde, grid, dt = KuramotoSivashinsky(), Grid((512,), (64.0,)), 0.05
    u = smooth(grid, modes=8)
    reference = integrate(etdrk(pde, grid, dt / 8), u, 2, 160)[:, -1]
    end = integrate(make(pde, grid, dt), u, 2, 20)[:, -1]
    assert float((end - reference).norm() / reference.norm()) < 1e-5
    assert not integrate(runge_kutta(pde, grid, dt), u, 2, 20)[:, -1].isfinite().all()


def test_an_imex_step_damps_what_it_does_not_resolve(smooth):
    """Backward Euler has no instability at any step: a viscous line decays even at dt nu k^2 = 1e4."""
    pde, grid = Burgers(viscosity=10.0), Grid((64,), (2 * pi,))
    u = smooth(grid, modes=6) * 1e-3
    for scheme in IMEX:
        end = integrate(imex(pde, grid, 1.0, scheme), u, 2, 5)[:, -1]
        assert float(end.norm()) < float(u.norm())
