"""Diffusion-sorption between a held end and an open one: cells in space, LSODA in time.

With n cells of width h and D u_xx as the difference of fluxes through faces,

    R(u_i) (u_i)_t = (F_i - F_{i+1}) / h,  F_0 = D (1 - u_0) / (h/2),  F_i = D (u_{i-1} - u_i) / h,
    F_n = u_{n-1} / (1 + h / (2 D)),

so that sum S(u_i) h changes by what crosses the ends. LSODA with a banded Jacobian, tolerance 1e-8.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from pdekit.boundaries import Dirichlet, Ends, Robin
from pdekit.fields import Grid
from pdekit.pdes.diffusion_sorption import DiffusionSorption
from pdekit.solvers.step import Step

TOLERANCE = 1e-8


def ends_of(pde: DiffusionSorption) -> Ends:
    """Return the ends that the scheme has: u = 1 at the lower one, and u + D u_x = 0 at the upper one."""
    return Dirichlet(1.0), Robin(1.0, float(pde.diffusivity))


def sorption(
    pde: DiffusionSorption,
    grid: Grid,
    dt: Any,
    dtype: torch.dtype = torch.float64,
    device: Any = "cpu",
    boundary: Sequence[Ends] = (),
) -> Step:
    """Return a step of length dt; its state is that of the cells. It is integrated in float64 on the CPU.

    Args:
        pde: equation with numbers as parameters.
        grid: cells of a line.
        dt: one number, or one for each sample.
        dtype, device: of the states.
        boundary: ends of the line.

    Raises:
        ValueError: on another grid, other ends, or parameters that vary from sample to sample.
    """
    numbers = [torch.as_tensor(value) for value in (*dataclasses.astuple(pde), dt)]
    if grid.layout != ("cells",) or any(value.numel() != 1 for value in numbers):
        raise ValueError(
            f"expected one equation and one step on cells of a line, got {pde} with the step {dt} on {grid}; solve the "
            "samples one by one"
        )
    if tuple(boundary) != (ends_of(pde),):
        lower, upper = ends_of(pde)
        raise ValueError(f"expected the ends '{lower}' and '{upper}', got {tuple(boundary)}; correct the boundary")
    times, length = np.array([0.0, float(numbers[-1])]), float(grid.extent[0])

    def advance(state: Tensor) -> Tensor:
        rows = [concentrations(pde, row, length, times)[1] for row in state[:, 0].double().cpu().numpy()]
        return torch.from_numpy(np.stack(rows)[:, None]).to(state)

    def moved(u: Tensor) -> Tensor:
        return u.to(device=device, dtype=dtype)

    return Step(moved, advance, moved)


def concentrations(pde: DiffusionSorption, start: np.ndarray, length: float, times: np.ndarray) -> np.ndarray:
    """Averages over cells at some times from 0 on, "time x".

    Raises:
        ValueError: if the integration fails.
    """
    h = length / len(start)
    flux = np.empty(len(start) + 1)

    def rate(_: float, u: np.ndarray) -> np.ndarray:
        flux[0] = pde.diffusivity * (1 - u[0]) * 2 / h
        flux[1:-1] = pde.diffusivity * (u[:-1] - u[1:]) / h
        flux[-1] = u[-1] / (1 + h / (2 * pde.diffusivity))
        return (flux[:-1] - flux[1:]) / h / pde.retardation(np.maximum(u, 0.0))

    found = solve_ivp(rate, (0.0, times[-1]), start, "LSODA", times, rtol=TOLERANCE, atol=TOLERANCE, lband=1, uband=1)
    if not found.success:
        raise ValueError(
            f"expected LSODA to reach t = {times[-1]:g} for {pde}, got {found.message!r}; choose milder parameters"
        )
    return found.y.T
