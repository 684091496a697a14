"""H <- (I - r s y') H (I - r y s') + r s s',  r = 1 / (y . s)."""

from __future__ import annotations

from pdekit.optimisers.quasi_newton import QuasiNewton, Update


class BFGS(QuasiNewton):
    """Broyden, Fletcher, Goldfarb and Shanno (1970), with the dense inverse Hessian.

    Source: Nocedal and Wright, Numerical Optimization (2006), equation 6.17.
    """

    def coefficients(self, r: float, q: float, b: float) -> Update:
        return 1.0, (r + r * r * q, -r, 0.0)
