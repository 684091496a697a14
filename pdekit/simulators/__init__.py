"""Simulators: all that can make data. One protocol for equations in time (`Stepping`) and for cases."""

from pdekit.simulators.base import Draw, Frame, Refinement, Simulator
from pdekit.simulators.stepping import Stepping

__all__ = ["Draw", "Frame", "Refinement", "Simulator", "Stepping"]
