"""Initial conditions: frozen dataclasses called as ``sampler(grid, fields, generator)`` -> "channel *space", float64.

All of them draw random *functions*, the same on every grid that is fine enough, so that a finer solver starts from
the same state. ``generator`` is NumPy's and holds the whole randomness; ``version`` is raised when a change alters
the numbers. Axes are periodic or cells.
"""

from pdekit.data.initial.channels import Channels, Constant, RandomConstant
from pdekit.data.initial.filtered_velocity import FilteredVelocity
from pdekit.data.initial.fourier_series import RandomFourierSeries
from pdekit.data.initial.gaussian_bumps import GaussianBumps
from pdekit.data.initial.gaussian_field import GaussianRandomField
from pdekit.data.initial.mcwilliams import McWilliams
from pdekit.data.initial.perlin import PerlinPatches
from pdekit.data.initial.seeds import Seeds
from pdekit.data.initial.solitons import KdVSolitons, SchroedingerSolitons

__all__ = [
    "Channels",
    "Constant",
    "FilteredVelocity",
    "GaussianBumps",
    "GaussianRandomField",
    "KdVSolitons",
    "McWilliams",
    "PerlinPatches",
    "RandomConstant",
    "RandomFourierSeries",
    "SchroedingerSolitons",
    "Seeds",
]
