"""H <- (I - r s y') H (I - r y s') + r s s',  r = 1 / (y . s)."""

from __future__ import annotations

import torch
from torch import Tensor

from pdekit.optimisers.quasi_newton import QuasiNewton


class BFGS(QuasiNewton):
    """Broyden, Fletcher, Goldfarb and Shanno (1970), with the dense inverse Hessian.

    Source: Nocedal and Wright, Numerical Optimization (2006), equation 6.17.
    """

    def update(self, inverse: Tensor, s: Tensor, y: Tensor, step: float, gradient: Tensor) -> None:
        hy = inverse @ y
        r = 1 / float(y @ s)
        coefficients = hy.new_tensor([[r + r * r * float(y @ hy), -r], [-r, 0.0]])
        pair = torch.stack((s, hy), dim=1)
        inverse.addmm_(pair @ coefficients, pair.mT)
