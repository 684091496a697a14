"""Initial conditions: frozen dataclasses called as ``sampler(grid, fields, generator)`` -> "channel *space", float64.

All of them draw random *functions*, the same on every grid that is fine enough, so that a finer solver starts from
the same state. ``generator`` is NumPy's and holds the whole randomness; ``version`` is raised when a change alters
the numbers. Axes are periodic or cells.
"""

from pdekit.recipes.initial.ambient_flow import AmbientFlow
from pdekit.recipes.initial.channels import Channels, Constant, RandomConstant
from pdekit.recipes.initial.filtered_velocity import FilteredVelocity
from pdekit.recipes.initial.fourier_series import RandomFourierSeries
from pdekit.recipes.initial.gaussian_bumps import GaussianBumps
from pdekit.recipes.initial.gaussian_field import GaussianRandomField
from pdekit.recipes.initial.mcwilliams import McWilliams
from pdekit.recipes.initial.perlin import PerlinPatches
from pdekit.recipes.initial.perturbed_layer import PerturbedLayer
from pdekit.recipes.initial.radial_dam import RadialDam
from pdekit.recipes.initial.rescaled import Rescaled
from pdekit.recipes.initial.riemann_states import RiemannStates
from pdekit.recipes.initial.seeds import Seeds
from pdekit.recipes.initial.smoke_puff import SmokePuff
from pdekit.recipes.initial.solitons import KdVSolitons, SchroedingerSolitons

__all__ = [
    "AmbientFlow",
    "Channels",
    "Constant",
    "FilteredVelocity",
    "GaussianBumps",
    "GaussianRandomField",
    "KdVSolitons",
    "McWilliams",
    "PerlinPatches",
    "PerturbedLayer",
    "RadialDam",
    "RandomConstant",
    "RandomFourierSeries",
    "Rescaled",
    "RiemannStates",
    "SchroedingerSolitons",
    "Seeds",
    "SmokePuff",
]
