"""Weights of multistep methods: integrals of Lagrange polynomials against a kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

N_POINTS = 41  # exact to rounding for kernels exp(+-s) on any interval in use


def lagrange_weights(
    nodes: Sequence[float], start: float, stop: float, kernel: Callable[[Tensor], Tensor]
) -> list[Tensor]:
    """Return c_j = integral from start to stop of kernel(s) L_j(s) ds; L_j is one at node j and zero at the others.

    Gauss-Legendre quadrature with 41 points. ``kernel`` maps "point" to "... point"; the results have the shape "...".

    >>> [round(float(c), 12) for c in lagrange_weights([1.0, 0.0], 1.0, 2.0, torch.ones_like)]
    [1.5, -0.5]
    """
    points, weights = (torch.from_numpy(part) for part in np.polynomial.legendre.leggauss(N_POINTS))
    half = 0.5 * (stop - start)
    s = start + half * (points + 1)
    density = half * weights * kernel(s)
    found = []
    for j, node in enumerate(nodes):
        basis = torch.ones_like(s)
        for i, other in enumerate(nodes):
            if i != j:
                basis = basis * (s - other) / (node - other)
        found.append((density * basis).sum(-1))
    return found
