"""Flows in two dimensions: energy and enstrophy at each scale, and their fluxes from scale to scale.

With the vorticity w and the streamfunction psi, laplacian(psi) = -w, advection changes the energy and the enstrophy of
shell j (see `pdekit.metrics.shells`) at the rates, all per unit of area,

    T_E(k_j) = sum over shell j of Re psi_hat conj(N_hat),    T_Z(k_j) = sum of Re w_hat conj(N_hat),    N = -div(u w),

and the fluxes Pi(k_j) = -sum over i <= j of T(k_i) are what passes from wavenumbers up to k_j to higher ones (Kraichnan
1967; Frisch 1995, section 6.2). In two dimensions energy goes to low wavenumbers (Pi_E < 0) and enstrophy to high ones.

Advection only moves them about: transfers sum to zero, exactly here, because products are formed on a grid of 3/2 times
the points, where they have no aliasing. The Nyquist modes of even axes have no sign and are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus import Fourier
from pdekit.calculus.resample import resample
from pdekit.fields import Grid, Problem
from pdekit.metrics.quadrature import diverged_as
from pdekit.metrics.shells import shells


@dataclass(frozen=True)
class Cascade:
    """Energy and enstrophy of each shell and the fluxes out of it, "... shell", per unit of area."""

    energy: Tensor
    enstrophy: Tensor
    energy_flux: Tensor
    enstrophy_flux: Tensor


def is_flow(problem: Problem) -> bool:
    """True for a periodic flow in two dimensions without a mask: a field "vorticity" or a vector "velocity"."""
    if problem.grid.ndim != 2 or not problem.grid.periodic or problem.has_mask:
        return False
    return bool(_channels(problem))


def _channels(problem: Problem) -> list[int]:
    """The channel of the vorticity, or the two of the velocity."""
    names = [field.name for field in problem.fields]
    if "vorticity" in names:
        return [names.index("vorticity")]
    velocity = [i for i, field in enumerate(problem.fields) if field.vector == "velocity"]
    return velocity if len(velocity) == 2 else []


@torch.no_grad()
def cascade(u: Float[Tensor, "batch time channel *space"], problem: Problem) -> Cascade:
    """Spectra and fluxes of every frame, +inf where it has diverged.

    The energy is that of the part of the flow that has neither divergence nor mean; a mean flow only carries the rest.
    Lengths are nominal.

    >>> from pdekit.fields import Field
    >>> problem = Problem(Grid((16, 16), (2 * math.pi,) * 2), (Field("vorticity"),), dt=1.0, n_frames=2)
    >>> x, y = problem.grid.mesh()
    >>> w = (torch.cos(2 * x) + torch.cos(3 * y)).reshape(1, 1, 1, 16, 16)
    >>> found = cascade(w, problem)
    >>> [round(v, 6) for v in found.energy[0, 0, :4].tolist()]  # <w^2> / (2 k^2), k = 2 and 3
    [0.0, 0.0, 0.0625, 0.027778]
    >>> bool((found.energy_flux.abs() < 1e-15).all())  # both are steady, and pass nothing to each other
    True
    """
    chosen = u[:, :, _channels(problem)].double().flatten(0, 1)
    shape = problem.grid.shape
    grid = Grid(tuple(3 * n // 2 + 1 for n in shape), problem.grid.extent)
    d = Fourier(grid, chosen.dtype, chosen.device)
    fine = d.field(resample(chosen, grid.shape))
    w = fine if chosen.shape[1] == 1 else d.curl(fine)
    kept = torch.ones((), dtype=torch.float64)
    for m, n in zip(d.modes, shape, strict=True):
        kept = kept * (m.abs() < n / 2)  # the resolved modes, less the Nyquist ones
    w = d.from_spectrum(w.spectrum * kept.to(chosen))
    psi = d.poisson("streamfunction", -w)
    advection = -d.div(d.stack(d.y(psi) * w, -d.x(psi) * w))
    w_hat, psi_hat, n_hat = (field.spectrum.flatten(-2) / math.prod(grid.shape) for field in (w, psi, advection))
    modes = shells(grid)
    n_shells = shells(problem.grid).n

    def over_shells(a: Tensor, b: Tensor) -> Tensor:
        product = (a.real * b.real + a.imag * b.imag) * modes.multiplicity.flatten().to(a.real)
        sums = product.new_zeros(*product.shape[:-1], modes.n).index_add_(-1, modes.index.to(product.device), product)
        return diverged_as(math.inf, sums[:, 0, :n_shells].unflatten(0, u.shape[:2]))

    transfer_e, transfer_z = over_shells(psi_hat, n_hat), over_shells(w_hat, n_hat)
    return Cascade(
        over_shells(psi_hat, w_hat) / 2,
        over_shells(w_hat, w_hat) / 2,
        diverged_as(math.inf, -transfer_e.cumsum(-1)),
        diverged_as(math.inf, -transfer_z.cumsum(-1)),
    )
