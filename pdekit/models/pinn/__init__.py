"""Physics-informed networks: the method, and its parts."""

from pdekit.models.pinn.causality import Causality
from pdekit.models.pinn.collocation import Collocation
from pdekit.models.pinn.form import Form
from pdekit.models.pinn.inverse import Inverse
from pdekit.models.pinn.method import PINN
from pdekit.models.pinn.plan import SecondOrder
from pdekit.models.pinn.weighting import Weighting

__all__ = ["PINN", "Causality", "Collocation", "Form", "Inverse", "SecondOrder", "Weighting"]
