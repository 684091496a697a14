"""Equations, one in each file, written against the calculi of pdekit.calculus."""

from pdekit.pdes.base import PDE, ExactSolution, SemilinearPDE
from pdekit.pdes.kuramoto_sivashinsky import KuramotoSivashinsky
from pdekit.pdes.navier_stokes_2d import NavierStokes2D

__all__ = ["PDE", "ExactSolution", "KuramotoSivashinsky", "NavierStokes2D", "SemilinearPDE"]
