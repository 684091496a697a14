"""One line for each equation: the numbers with which test_catalogue.py puts it through the same tests.

A new equation needs an entry here, and a function in naive.py if its closed forms do not exercise every term.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import pi

import torch
from torch import Tensor

from pdekit import pdes
from pdekit.calculus import Fourier
from pdekit.fields import Grid
from pdekit.pdes import PDE


@dataclass(frozen=True)
class Case:
    """How to test one equation.

    Args:
        pde: with parameters that make every term count.
        shape, extent: of a grid that resolves `start` and what becomes of it.
        dt: a step of ETDRK4 that is accurate to about 1e-9 in 20 steps.
        mean, amplitude: of each channel of the start.
        follows: closed form -> (points, dt, tolerance), where the tolerance is the measured error of ETDRK4 times
            about 4. Rounding (1e-13) is asked of linear equations, and of flows whose advection vanishes.
        errors: relative errors of ETDRK1 ... ETDRK4 with dt * stretch / 2, measured, times about 4.
        stretch: how many times dt the coarse step of the study of convergence is.
        period: roll of the grid that is a symmetry.
    """

    pde: PDE
    shape: tuple[int, ...]
    extent: tuple[float, ...]
    dt: float
    mean: tuple[float, ...] = (0.0,)
    amplitude: tuple[float, ...] = (1.0,)
    follows: dict[str, tuple[tuple[int, ...], float, float]] = field(default_factory=dict)
    errors: tuple[float, ...] = ()
    stretch: int = 8
    period: tuple[int, ...] = ()

    @property
    def grid(self) -> Grid:
        return Grid(self.shape, self.extent)

    def start(self, grid: Grid | None = None, waves: int = 2) -> Tensor:
        """Two random smooth fields; a vorticity has no mean and a velocity no divergence."""
        grid, pde = grid or self.grid, self.pde
        u = smooth(grid, len(pde.fields), 1, waves)
        scale = (1, -1, *(1,) * grid.ndim)
        u = torch.tensor(self.mean).reshape(scale) + torch.tensor(self.amplitude).reshape(scale) * u
        if "streamfunction" in pde.auxiliary:
            u = u - u.mean(dim=(2, 3), keepdim=True)
        if isinstance(pde, pdes.NavierStokes3D):
            d = Fourier(grid)
            u = pde.solenoidal(d.field(u), d).samples
        return u


def smooth(grid: Grid, channels: int, seed: int, waves: int = 2, batch: int = 2) -> Tensor:
    """Random trigonometric polynomials of unit size, the same function on every grid of one box."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(batch, channels, *grid.shape, dtype=torch.float64)
    if grid.ndim == 0:
        return torch.randn(batch, channels, generator=generator, dtype=torch.float64)
    axes = [2 * pi * x / length for x, length in zip(grid.mesh(), grid.extent, strict=True)]
    numbers = torch.cartesian_prod(*[torch.arange(-waves, waves + 1)] * grid.ndim).reshape(-1, grid.ndim)
    for m in numbers.tolist():
        draws = torch.randn(2, batch, channels, generator=generator, dtype=torch.float64)
        amplitude, phase = draws.reshape(2, batch, channels, *(1,) * grid.ndim)
        total = total + amplitude * torch.cos(sum(n * x for n, x in zip(m, axes, strict=True)) + 6 * phase)
    return total / len(numbers) ** 0.5


TURN = 2 * pi
CASES = {
    "advection": Case(
        pdes.Advection(1.0, -0.6, 0.3),
        (16, 12),
        (TURN, 3.0),
        0.05,
        follows={f"travelling bump in {n}-D": ((32,) * n, 0.25, 1e-13) for n in (1, 2, 3)},
    ),
    "diffusion": Case(
        pdes.Diffusion(0.1),
        (16, 12),
        (TURN, 3.0),
        0.05,
        follows={f"decaying modes in {n}-D": ((16,) * n, 0.25, 1e-13) for n in (1, 2, 3)},
    ),
    "wave": Case(
        pdes.WaveEquation(1.5),
        (16, 12),
        (TURN, 3.0),
        0.05,
        amplitude=(1.0, 2.0),
        follows={
            "travelling bump": ((48,), 0.25, 1e-13),
            **{f"standing wave in {n}-D": ((16,) * n, 0.25, 1e-13) for n in (1, 2, 3)},
        },
    ),
    "burgers": Case(
        pdes.Burgers(0.05),
        (96,),
        (TURN,),
        0.002,
        follows={"steepening sine": ((256,), 0.005, 4e-9)},
        errors=(9e-4, 6e-6, 5e-8, 4e-10),
    ),
    "korteweg_de_vries": Case(
        pdes.KortewegDeVries(1.5, 0.4),
        (64,),
        (10.0,),
        0.001,
        follows={"soliton": ((256,), 0.01, 1e-7), "two solitons": ((384,), 0.02, 1e-6)},
        errors=(3e-4, 5e-7, 1e-8, 5e-11),
    ),
    "kuramoto_sivashinsky": Case(
        pdes.KuramotoSivashinsky(0.8),
        (32,),
        (22.0,),
        0.01,
        amplitude=(2.0,),
        errors=(2e-3, 2e-5, 3e-7, 5e-9),
        stretch=4,
    ),
    "allen_cahn": Case(
        pdes.AllenCahn(0.01, 2.0),
        (48,),
        (2.0,),
        0.005,
        follows={
            "walls at rest": ((64,), 0.02, 1e-6),
            "separation of a uniform mixture": ((8, 8), 0.02, 1e-7),
        },
        errors=(3e-3, 5e-5, 3e-7, 3e-9),
        stretch=4,
    ),
    "reaction_diffusion": Case(
        pdes.ReactionDiffusion(0.01, 2.0),
        (48,),
        (2.0,),
        0.005,
        mean=(0.5,),
        amplitude=(0.2,),
        follows={"logistic growth": ((8,), 0.02, 1e-7)},
        errors=(3e-3, 4e-5, 2e-7, 6e-10),
        stretch=4,
    ),
    "cahn_hilliard": Case(
        pdes.CahnHilliard(0.1, 0.02),
        (32,),
        (TURN,),
        0.01,
        mean=(0.1,),
        amplitude=(0.3,),
        follows={"walls at rest": ((64,), 0.004, 1e-6)},
        errors=(5e-4, 3e-6, 2e-8, 2e-11),
    ),
    "swift_hohenberg": Case(
        pdes.SwiftHohenberg(0.7, 0.5),
        (24, 24),
        (14.0, 16.0),
        0.01,
        amplitude=(0.7,),
        errors=(9e-3, 2e-4, 4e-6, 9e-8),
        stretch=4,
    ),
    "swift_hohenberg without quadratic term": Case(
        pdes.SwiftHohenberg(0.7),
        (32,),
        (14.0,),
        0.01,
        amplitude=(0.7,),
        follows={f"uniform field in {n}-D": ((8,) * n, 0.05, 1e-9) for n in (1, 2, 3)},
        errors=(2e-4, 7e-7, 2e-9, 1e-10),
        stretch=2,
    ),
    "gray_scott": Case(
        pdes.GrayScott(2e-3, 1e-3, 0.03, 0.06),
        (32, 32),
        (2.5, 2.0),
        0.05,
        mean=(0.6, 0.3),
        amplitude=(0.2, 0.1),
        follows={"relaxation without v": ((16, 16), 2.0, 1e-13)},
        errors=(4e-3, 8e-5, 8e-7, 6e-9),
        stretch=4,
    ),
    "gray_scott with a pulse": Case(
        pdes.GrayScott(1.0, 2.0, 0.03, 0.03),
        (64,),
        (20.0,),
        0.05,
        mean=(0.6, 0.3),
        amplitude=(0.2, 0.1),
        follows={
            "relaxation without v": ((16, 16), 2.0, 1e-13),
            "pulse at rest": ((256,), 0.2, 1e-6),
        },
        errors=(5e-3, 7e-5, 6e-7, 7e-9),
        stretch=4,
    ),
    "nonlinear_schroedinger": Case(
        pdes.NonlinearSchroedinger(),
        (64,),
        (TURN,),
        0.001,
        amplitude=(1.0, 1.0),
        follows={
            "plane wave": ((16,), 0.01, 1e-8),
            "soliton": ((512,), 0.01, 2e-7),
            "collision of two solitons": ((768,), 0.01, 1e-6),
            "bound state": ((768,), 0.002, 1e-6),
            "Akhmediev breather": ((64,), 0.01, 4e-6),
        },
        errors=(4e-3, 1e-4, 2e-7, 6e-9),
    ),
    "defocusing nonlinear_schroedinger": Case(
        pdes.NonlinearSchroedinger(0.8, -1.5),
        (64,),
        (TURN,),
        0.001,
        amplitude=(1.0, 1.0),
        follows={"plane wave": ((16,), 0.01, 1e-8)},
        errors=(1e-2, 4e-4, 2e-6, 7e-8),
    ),
    "sine_gordon": Case(
        pdes.SineGordon(1.3),
        (64,),
        (TURN,),
        0.005,
        amplitude=(1.0, 1.0),
        follows={"breather": ((256,), 0.05, 2e-6), "kink meets antikink": ((256,), 0.05, 1e-4)},
        errors=(4e-3, 3e-5, 1e-7, 1e-9),
    ),
    "navier_stokes_2d": Case(
        pdes.NavierStokes2D(0.02, drag=0.1),
        (32, 36),
        (TURN, TURN),
        0.005,
        follows={
            "Taylor-Green decay": ((32, 32), 0.05, 1e-13),
            "decay of one wavenumber": ((32, 32), 0.05, 1e-13),
        },
        errors=(2e-3, 1e-5, 2e-7, 2e-9),
    ),
    "kolmogorov flow": Case(
        pdes.NavierStokes2D(0.05, forcing=1.0, wavenumber=2, drag=0.1),
        (32, 36),
        (TURN, TURN),
        0.005,
        follows={"laminar Kolmogorov flow": ((32, 32), 0.05, 1e-13)},
        errors=(4e-3, 2e-5, 2e-7, 2e-9),
        period=(5, 18),
    ),
    "stirred_flow": Case(
        pdes.StirredFlow2D(0.02, forcing=2.0, wavenumber=1.0, drag=0.1),
        (32, 36),
        (TURN, TURN),
        0.005,
        follows={"spin-up from rest": ((32, 32), 0.05, 1e-13)},
        errors=(4e-3, 2e-5, 2e-7, 2e-9),
        period=(8, -9),
    ),
    "navier_stokes_3d": Case(
        pdes.NavierStokes3D(0.05),
        (12, 10, 9),
        (TURN, TURN, TURN),
        0.005,
        amplitude=(0.5, 0.5, 0.5),
        follows={"Taylor-Green decay": ((16,) * 3, 0.1, 1e-13), "Beltrami decay": ((16,) * 3, 0.1, 1e-13)},
        errors=(6e-3, 4e-5, 2e-7, 2e-9),
    ),
    "chaotic_system": Case(
        pdes.ChaoticSystem("lorenz"),
        (),
        (),
        0.0005,
        amplitude=(3.0,) * 3,
        mean=(2.0,) * 3,
        errors=(1.3e-2, 2.2e-4, 2.1e-6, 2e-8),
    ),
    "lorenz_96": Case(
        pdes.Lorenz96(8.0, 12),
        (),
        (),
        0.001,
        amplitude=(3.0,) * 12,
        mean=(2.0,) * 12,
        follows={"all sites alike": ((), 0.05, 1e-13)},
        errors=(8e-3, 9e-5, 8e-7, 6e-9),
    ),
    "shallow_water": Case(
        pdes.ShallowWater(1.5),
        (24, 20),
        (4.0, 3.0),
        0.02,
        mean=(1.0, 0.0, 0.0),
        amplitude=(0.1, 0.1, 0.1),
    ),
    "compressible_euler": Case(
        pdes.CompressibleEuler(1.4, 2),
        (24, 20),
        (4.0, 3.0),
        0.01,
        mean=(1.0, 0.0, 0.0, 2.5),
        amplitude=(0.1, 0.1, 0.1, 0.1),
    ),
}
