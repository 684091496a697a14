"""Reference solvers: functions that return a step or a solution."""

from pdekit.solvers.etdrk import etdrk
from pdekit.solvers.finite_volume import Scheme, finite_volume, stable_dt
from pdekit.solvers.imex import imex
from pdekit.solvers.lyapunov import Copies, LyapunovSpectrum, lyapunov_exponents, still_changing
from pdekit.solvers.mirrored_box import mirrored_box
from pdekit.solvers.projection import projection
from pdekit.solvers.runge_kutta import runge_kutta
from pdekit.solvers.step import Step, integrate

__all__ = [
    "Copies",
    "LyapunovSpectrum",
    "Scheme",
    "Step",
    "etdrk",
    "finite_volume",
    "imex",
    "integrate",
    "lyapunov_exponents",
    "mirrored_box",
    "projection",
    "runge_kutta",
    "stable_dt",
    "still_changing",
]
