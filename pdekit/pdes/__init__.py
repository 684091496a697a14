"""Equations, one in each file, written against the calculi of pdekit.calculus."""

from pdekit.pdes.advection import Advection
from pdekit.pdes.allen_cahn import AllenCahn
from pdekit.pdes.base import PDE, ConservationLaw, ExactSolution, SemilinearPDE
from pdekit.pdes.burgers import Burgers
from pdekit.pdes.diffusion import Diffusion
from pdekit.pdes.gray_scott import GrayScott
from pdekit.pdes.korteweg_de_vries import KortewegDeVries
from pdekit.pdes.kuramoto_sivashinsky import KuramotoSivashinsky
from pdekit.pdes.navier_stokes_2d import NavierStokes2D
from pdekit.pdes.nonlinear_schroedinger import NonlinearSchroedinger
from pdekit.pdes.wave import Wave

__all__ = [
    "PDE",
    "Advection",
    "AllenCahn",
    "Burgers",
    "ConservationLaw",
    "Diffusion",
    "ExactSolution",
    "GrayScott",
    "KortewegDeVries",
    "KuramotoSivashinsky",
    "NavierStokes2D",
    "NonlinearSchroedinger",
    "SemilinearPDE",
    "Wave",
]
