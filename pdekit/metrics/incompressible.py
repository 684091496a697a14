"""The divergence of vector fields, relative to their gradients."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus import FiniteDifference, Fourier
from pdekit.calculus.projections import vectors
from pdekit.fields import Problem
from pdekit.metrics.physics import at_frames
from pdekit.metrics.quadrature import average, diverged_as, ratio
from pdekit.metrics.sums import rounding_of


@torch.no_grad()
def divergence(
    u: Float[Tensor, "batch time channel *space"], problem: Problem, params: Float[Tensor, "batch param"] | None = None
) -> Float[Tensor, "batch time vector"]:
    """sqrt(<(div v)^2> / <|grad v|^2>) of each of `vectors`, |grad v|^2 being the sum over all derivatives.

    0 for a flow that is free of divergence, 1 for a gradient, 0 for a uniform vector; +inf for a diverged frame.
    Spectral derivatives on periodic boxes, differences of order 4 on others.

    >>> from pdekit.fields import Field, Grid
    >>> fields = (Field("u", vector="velocity"), Field("v", vector="velocity"))
    >>> problem = Problem(Grid((8, 8), (2 * math.pi,) * 2), fields, dt=1.0, n_frames=2)
    >>> x, y = problem.grid.mesh()
    >>> turning, sinking = torch.stack([torch.sin(y), torch.sin(x)]), torch.stack([torch.sin(x), torch.sin(y)])
    >>> [round(divergence(v[None, None], problem).item(), 9) for v in (turning, sinking)]
    [0.0, 1.0]
    """
    _, grid, flat = at_frames(u, problem, params)
    d = Fourier(grid, flat.dtype, flat.device) if grid.periodic else FiniteDifference(grid)
    found = []
    for channels in vectors(problem).values():
        field = d.field(flat[:, channels])
        derivatives = [_samples(d.along(field, letter)) for letter in grid.axes]
        total = sum(derivative[:, i : i + 1] for i, derivative in enumerate(derivatives))
        square = sum((derivative**2).sum(1, keepdim=True) for derivative in derivatives)
        size = (flat[:, channels] ** 2).sum(1, keepdim=True)
        a, b, c = (average(part.unsqueeze(1), problem)[:, 0, 0].sqrt() for part in (total**2, square, size))
        uniform = b <= 16 * rounding_of(u) * math.pi / min(problem.grid.spacing) * c
        found.append(torch.where(uniform, 0.0, ratio(a, b)))
    values = torch.stack(found, -1)
    return diverged_as(math.inf, values.unflatten(0, u.shape[:2]))


def _samples(field: object) -> Tensor:
    return field if torch.is_tensor(field) else field.samples
