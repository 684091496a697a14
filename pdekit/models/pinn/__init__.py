"""Physics-informed networks: the method, and what it is made of."""

from pdekit.models.pinn.causality import Causality
from pdekit.models.pinn.collocation import Collocation
from pdekit.models.pinn.inverse import Inverse
from pdekit.models.pinn.method import PINN
from pdekit.models.pinn.plan import SecondOrder

__all__ = ["PINN", "Causality", "Collocation", "Inverse", "SecondOrder"]
