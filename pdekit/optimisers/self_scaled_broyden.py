"""H <- (H - H y y' H / (y.Hy) + phi (y.Hy) v v') / tau + r s s',  v = r s - H y / (y.Hy),  r = 1 / (y . s)."""

from __future__ import annotations

import math

from pdekit.optimisers.quasi_newton import QuasiNewton, Update


class SelfScaledBroyden(QuasiNewton):
    """Broyden's family with a member phi and a scale tau chosen again in each iteration.

    With h = r y.Hy, b = -a r s.g and c = b h - 1 (zero where H is already right along s and y):

        r_minus = min(1, h (1 - sqrt(|c| / (1 + c))))
        theta   = max((r_minus - 1) / c, min(1 / r_minus, (1 - b) / b))
        sigma   = 1 + theta c,   phi = (1 - theta) / (1 + c theta)
        tau     = min(r_minus sigma^(1/(1-n)), sigma)              if theta <= 0
                  r_minus min(sigma^(1/(1-n)), 1 / theta)          otherwise

    theta = 0 and tau = 1 would be BFGS. Shrinking the eigenvalues of H that come from old curvature is what lets
    networks of a few thousand parameters reach residuals far below those of BFGS.

    Source: Al-Baali (1998); as used for physics-informed networks by Urban, Stefanou and Pons (2025, JCP 523).
    """

    def coefficients(self, r: float, q: float, b: float) -> Update:
        phi, tau = family_parameters(h=r * q, b=b, n=self.n)
        return 1 / tau, (r + phi * q * r * r / tau, -phi * r / tau, (phi - 1) / (q * tau))


def family_parameters(h: float, b: float, n: int) -> tuple[float, float]:
    """(phi, tau) of the update; (1, 1), which is BFGS, where the formulas degenerate.

    Args:
        h: y.Hy / y.s.
        b: s.Bs / y.s with B the inverse of H.
        n: number of parameters.

    >>> family_parameters(h=1.0, b=1.0, n=10)
    (1.0, 1.0)
    """
    c = h * b - 1  # not negative, by Cauchy and Schwarz
    if not c > 1e-14 or n < 2:
        return 1.0, 1.0
    r_minus = min(1.0, h * (1 - math.sqrt(c / (1 + c))))
    theta = max((r_minus - 1) / c, min(1 / r_minus, (1 - b) / b))
    sigma = 1 + theta * c
    if not sigma > 0:
        return 1.0, 1.0
    root = sigma ** (1 / (1 - n))
    tau = min(r_minus * root, sigma) if theta <= 0 else r_minus * min(root, 1 / theta)
    return (1 - theta) / sigma, tau
