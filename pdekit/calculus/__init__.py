"""Calculi: the meanings that `d` can have when an equation is read.

A solver reads it with `Fourier`, an exponential integrator takes its symbol with `Symbol`, a residual on a
bounded grid uses `FiniteDifference`, a network's residual uses `Taylor` (or `Autodiff`, slower, for any network). All
share the verbs of `Calculus`.
"""

from pdekit.calculus.autodiff import Autodiff
from pdekit.calculus.base import Calculus
from pdekit.calculus.finite_difference import FiniteDifference
from pdekit.calculus.fourier import Fourier, FourierField
from pdekit.calculus.jets import Jet
from pdekit.calculus.symbol import Symbol, symbol
from pdekit.calculus.taylor import Taylor

__all__ = ["Autodiff", "Calculus", "FiniteDifference", "Fourier", "FourierField", "Jet", "Symbol", "Taylor", "symbol"]
