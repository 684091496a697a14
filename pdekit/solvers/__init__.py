"""Reference solvers: functions that return a step or a solution."""

from pdekit.solvers.etdrk import etdrk
from pdekit.solvers.step import Step, integrate

__all__ = ["Step", "etdrk", "integrate"]
