"""Elder's problem by finite volumes: a streamfunction from a sine transform, van Leer's limiter, Heun's steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.fft import dstn, idstn

from pdekit.cases.base import Case, Draw, Solved, coupling_strength
from pdekit.fields import Grid
from pdekit.pdes.elder import Elder

YEAR = 365 * 86400.0
EXTENT = (300.0, 150.0)  # m; centred at the origin
STRENGTHS = {"off": 0.0, "weak": 0.25, "published": 1.0, "strong": 2.0}


@dataclass(frozen=True)
class PorousBox:
    """The semi-discrete problem on n cells: arrays "x y", salt at the centres, velocities on the faces.

    No water crosses the sides. c = 0 at the bottom, c = 1 on the right half of the top (`lake`), no salt crosses the
    rest.

    Args:
        pde: the parameters.
        shape: cells along x (even) and y.
        source: S at the centres [1/s].
    """

    pde: Elder
    shape: tuple[int, int]
    source: np.ndarray
    lake: bool = True

    @property
    def spacing(self) -> tuple[float, float]:
        return EXTENT[0] / self.shape[0], EXTENT[1] / self.shape[1]

    def velocity(self, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Velocities (u, v) on the faces normal to x and to y, whose divergence vanishes in every cell.

        The streamfunction at the corners obeys laplacian(psi) = buoyancy * c_x with psi = 0 on the sides, u = psi_y and
        v = -psi_x: the curl of Darcy's law. The five-point Laplacian is inverted by a sine transform. Face for face it
        is the flow of cell-centred pressures, with the density averaged onto the faces.
        """
        (nx, ny), (dx, dy) = self.shape, self.spacing
        steps = c[1:] - c[:-1]
        curl = self.pde.buoyancy * (steps[:, 1:] + steps[:, :-1]) / (2 * dx)
        kx, ky = (np.sin(np.pi * np.arange(1, n) / (2 * n)) * 2 / h for n, h in ((nx, dx), (ny, dy)))
        psi = np.zeros((nx + 1, ny + 1))
        psi[1:-1, 1:-1] = idstn(-dstn(curl, 1) / (kx[:, None] ** 2 + ky**2), 1)
        return (psi[:, 1:] - psi[:, :-1]) / dy, -(psi[1:] - psi[:-1]) / dx

    def fluxes(self, c: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Salt that crosses unit area of the faces per second along x and along y, and the largest stable step."""
        (dx, dy), pde = self.spacing, self.pde
        u, v = self.velocity(c)
        spread = pde.porosity * pde.diffusivity
        top = c[:, -1:].copy()
        if self.lake:
            half = self.shape[0] // 2
            top[half:] = 2.0 - top[half:]  # the mean of the last cell and its image is 1
        along_x = np.pad(c, ((1, 1), (0, 0)), mode="edge")
        along_y = np.concatenate((-c[:, :1], c, top), axis=1)
        fx = _carried(u, along_x) - spread * (along_x[1:] - along_x[:-1]) / dx
        fy = _carried(v.T, along_y.T).T - spread * (along_y[:, 1:] - along_y[:, :-1]) / dy
        speed = np.abs(u).max() / dx + np.abs(v).max() / dy
        rate = pde.diffusivity * (2 / dx**2 + 3 / dy**2) + 2 * speed / pde.porosity
        return fx, fy, 1 / rate

    def rate(self, c: np.ndarray) -> tuple[np.ndarray, float]:
        """c_t, and the largest stable step of Euler's method: no new extremum arises within it."""
        (dx, dy), (fx, fy, dt) = self.spacing, self.fluxes(c)
        outflow = (fx[1:] - fx[:-1]) / dx + (fy[:, 1:] - fy[:, :-1]) / dy
        return (self.source - outflow) / self.pde.porosity, dt

    def march(self, c: np.ndarray, duration: float) -> np.ndarray:
        """c after a time [s], by Heun's method with steps as large as is stable."""
        elapsed = 0.0
        while elapsed < duration:
            slope, limit = self.rate(c)
            remaining = duration - elapsed
            dt = remaining / math.ceil(remaining / limit)
            trial = c + dt * slope
            c = (c + trial + dt * self.rate(trial)[0]) / 2
            elapsed = duration if dt == remaining else elapsed + dt
        return c

    def state(self, c: np.ndarray) -> np.ndarray:
        """(u, v, c) at the centres, "channel x y"."""
        u, v = self.velocity(c)
        return np.stack(((u[1:] + u[:-1]) / 2, (v[:, 1:] + v[:, :-1]) / 2, c))


def _carried(speed: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Upwind flux along the first axis on all faces; c has one ghost cell at either end, where speed is 0."""
    step = c[1:] - c[:-1]
    product = step[1:] * step[:-1]
    slope = np.zeros_like(c)
    np.divide(2 * product, step[1:] + step[:-1], out=slope[1:-1], where=product > 0)
    lower, upper = c[:-1] + slope[:-1] / 2, c[1:] - slope[1:] / 2
    return speed * np.where(speed > 0, lower, upper)


@dataclass(frozen=True)
class ElderCase(Case):
    """Elder's box, 300 m by 150 m, with a Gaussian source of salt; frames every two years from fresh water.

    The source has peak U[1e-3, 8e-3] per year, centre x U[-70, 70] m and y U[-30, 30] m and width U[10, 70] m, as
    Multiphysics Bench draws it. The first frame is water at rest; the lake starts to act at once.

    Args:
        coupling: the setting of the knob: the factor `coupling` of the equation, on the density contrast, is 0 (off),
            0.25 (weak), 1 (published) or 2 (strong).
        cells: the solver's cells along either axis are the smallest multiple of the grid's points not below this, and
            what is stored is their mean over each point's cell; if less is asked for than the grid has points (a
            refinement below 1), their largest divisor not above it, with linear interpolation.
    """

    configurable = True

    coupling: str = "published"
    cells: int = 96

    version: ClassVar[int] = 1
    params: ClassVar[tuple[str, ...]] = ("source_peak", "source_x", "source_y", "source_width")

    def __post_init__(self):
        coupling_strength(self.coupling, STRENGTHS)
        if self.n_frames > 1 and not self.dt:
            raise ValueError(
                f"expected dt > 0 between {self.n_frames} frames, got {self.dt}; two years are {2 * YEAR:.0f} s"
            )

    @property
    def pde(self) -> Elder:
        return Elder(coupling=coupling_strength(self.coupling, STRENGTHS))

    @property
    def has_mask(self) -> bool:
        return False

    def draw(self, generator: np.random.Generator) -> Draw:
        low, high = np.array(((1e-3, -70.0, -30.0, 10.0), (8e-3, 70.0, 30.0, 70.0)))
        return Draw(dict(zip(self.params, generator.uniform(low, high).tolist(), strict=True)))

    def solve(self, drawn: Draw, grid: Grid, refinement: float = 1.0) -> Solved:
        origin = tuple(-length / 2 for length in EXTENT)
        if (tuple(grid.extent), grid.origin, grid.layout) != (EXTENT, origin, ("cells", "cells")):
            raise ValueError(
                f"expected a grid of cells with extent {EXTENT} and origin {origin}, got {grid}; correct the recipe"
            )
        nx, ny = (_cells(n, round(self.cells * refinement)) for n in grid.shape)
        shape = nx, ny
        box = PorousBox(self.pde, shape, _mean_source(drawn.params, grid, shape))
        c = np.zeros(shape)
        frames = [box.state(c)]
        for _ in range(self.n_frames - 1):
            assert self.dt is not None  # several frames have a time between them
            c = box.march(c, self.dt)
            frames.append(box.state(c))
        return Solved(_resampled(np.stack(frames), grid.shape), _mean_source(drawn.params, grid, grid.shape)[None])


def source(params: dict[str, float], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """S(x, y) [1/s]: a Gaussian."""
    r2 = (x - params["source_x"]) ** 2 + (y - params["source_y"]) ** 2
    return params["source_peak"] / YEAR * np.exp(-r2 / (2 * params["source_width"] ** 2))


def _mean_source(params: dict[str, float], grid: Grid, shape: tuple[int, ...]) -> np.ndarray:
    """S as the mean over cells of the grid's box, from 4 x 4 points in each."""
    x, y = (grid.resized(tuple(4 * n for n in shape)).coordinates(axis).numpy() for axis in range(2))
    return _resampled(source(params, x[:, None], y), shape)


def _cells(n: int, wanted: int) -> int:
    """The even number of cells for n points (the lake ends on a face): see `ElderCase.cells`."""
    if wanted >= n:
        unit = n if n % 2 == 0 else 2 * n
        return unit * math.ceil(wanted / unit)
    return max((m for m in range(2, n, 2) if n % m == 0 and m <= max(wanted, 4)), default=n + n % 2 * n)


def _resampled(u: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Values at the centres of fewer cells (means over blocks) or of more (linear) along the last two axes."""
    for axis, n in zip((-2, -1), shape, strict=True):
        u = np.moveaxis(u, axis, -1)
        cells = u.shape[-1]
        if cells % n == 0:
            u = u.reshape(*u.shape[:-1], n, cells // n).mean(axis=-1)
        else:
            at = np.clip((np.arange(n) + 0.5) * cells / n - 0.5, 0, cells - 1)
            lower = np.minimum(at.astype(int), cells - 2)
            u = u[..., lower] + (at - lower) * (u[..., lower + 1] - u[..., lower])
        u = np.moveaxis(u, -1, axis)
    return u
