"""Recipes of chaotic systems: one for each system, with its step, its period and starts on its attractor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from pdekit.fields import Field, Grid
from pdekit.pdes import ChaoticSystem, Lorenz96
from pdekit.pdes.chaotic_system import SYSTEMS
from pdekit.recipes.trajectories import Recipe
from pdekit.solvers import runge_kutta

LORENZ_96 = "lorenz_96"
RING = Lorenz96(forcing=20.0, n_sites=4)
RING_DT, RING_PERIOD, RING_START = 0.005, 2.20, (-2.5, 0.1, 1.6, 10.2)
"""Lorenz-96 with four sites, an equation of its own."""
SPREAD = 0.1
"""Of starts around the state of a system, relative to its size."""
SETTLED = 30.0
"""Dominant periods after which a start lies on the attractor, and has forgotten its neighbours."""
ON_THE_WAY = 65
"""Points between rest and a start of a Hamiltonian system at which its potential energy is looked at."""


@dataclass(frozen=True)
class AttractorStart:
    """A random state near the attractor of a system, or on its surface of constant energy.

    Args:
        system: a name in `SYSTEMS`, or "lorenz_96" for four sites.
    """

    configurable = True

    system: str

    version: ClassVar[int] = 2  # Hamiltonian systems begin inside their passes

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        facts = SYSTEMS.get(self.system)
        state = np.array(RING_START if facts is None else facts.start)
        if facts is not None and facts.energy is not None:
            return _of_energy(facts.energy, state, generator)
        state = state + SPREAD * np.abs(state).max() * generator.standard_normal(len(state))
        on_circle = list(() if facts is None else facts.circle)
        state[on_circle] /= np.linalg.norm(state[on_circle]) if on_circle else 1.0
        return torch.from_numpy(state)


def _of_energy(energy, state: np.ndarray, generator: np.random.Generator) -> Tensor:
    """A random state with the energy of a given one: positions with room for motion, a direction of the momenta.

    The potential energy stays below the total along the straight line from the rest at zero: beyond a pass, a system
    would leave for infinity.
    """
    n, wanted = len(state) // 2, float(energy(*torch.from_numpy(state)))
    shares = torch.linspace(0.0, 1.0, ON_THE_WAY, dtype=torch.float64)
    while True:
        places = torch.from_numpy(generator.uniform(-1.0, 1.0, n))
        momenta = torch.from_numpy(generator.standard_normal(n))
        way = places[:, None] * shares
        left = wanted - float(energy(*places, *torch.zeros_like(momenta)))
        if left > 0 and bool((energy(*way, *torch.zeros_like(way)) < wanted).all()):
            kinetic = float(energy(*places, *momenta)) - wanted + left
            return torch.cat((places, momenta * (left / kinetic) ** 0.5))


def chaotic_recipe(
    system: str,
    n_trajectories: Mapping[str, int],
    n_frames: Mapping[str, int],
    points_per_period: int = 30,
    warmup: float | None = None,
    seed: int = 0,
    chunk: int = 32,
    name: str = "chaos",
) -> Recipe:
    """Return the recipe of a chaotic system, integrated by the classical Runge-Kutta scheme.

    Args:
        system: a name in `SYSTEMS`, or "lorenz_96" for four sites with forcing 20.
        n_trajectories, n_frames, seed, chunk, name: as of `Recipe`.
        points_per_period: stored frames of a dominant period.
        warmup: time before the first frame; `SETTLED` periods if None.

    Raises:
        ValueError: on an unknown system, or fewer than two points of a period.
    """
    if points_per_period < 2:
        raise ValueError(f"expected points_per_period >= 2, got {points_per_period}; a period needs some frames")
    known = {LORENZ_96: (RING_DT, RING_PERIOD)} | {key: (facts.dt, facts.period) for key, facts in SYSTEMS.items()}
    if system not in known:
        raise ValueError(f"expected a system among {', '.join(sorted(known))}, found {system!r}; correct data.system")
    step, period = known[system]
    dt = period / points_per_period
    return Recipe(
        name=name,
        pde=RING if system == LORENZ_96 else ChaoticSystem(system),
        grid=Grid((), ()),
        initial=AttractorStart(system),
        solver=partial(runge_kutta, scheme="rk4"),
        dt=dt,
        substeps=ceil(dt / step),
        warmup=SETTLED * period if warmup is None else warmup,
        n_trajectories=n_trajectories,
        n_frames=n_frames,
        seed=seed,
        chunk=chunk,
    )


chaotic_recipe.configurable = True
