"""Errors that weigh small scales: of gradients and of spectra, for nets that would otherwise return smooth fields."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

FLOOR = 1e-8  # of the energy of the strongest shell: below it is rounding


def gradient_error(
    u: Float[Tensor, "batch time channel *space"], reference: Float[Tensor, "batch time channel *space"]
) -> Float[Tensor, ""]:
    """Mean over the spatial axes of <(d u - d r)^2> / <(d r)^2>, d the difference of neighbouring points.

    >>> r = torch.tensor([0.0, 1.0, 0.0]).reshape(1, 1, 1, 3)
    >>> round(float(gradient_error(1.1 * r, r)), 6)
    0.01
    """
    errors = []
    for axis in range(3, u.ndim):
        wanted = reference.diff(dim=axis)
        scale = wanted.square().mean().clamp_min(torch.finfo(u.dtype).tiny)
        errors.append((u.diff(dim=axis) - wanted).square().mean() / scale)
    return torch.stack(errors).mean()


def spectrum_error(
    u: Float[Tensor, "batch time channel *space"], reference: Float[Tensor, "batch time channel *space"]
) -> Float[Tensor, ""]:
    """Mean square of ln E_u(k) - ln E_r(k) over the shells k of integer wavenumber, and over samples and channels.

    E is the energy per shell, averaged over the frames; 1e-8 of the strongest shell of the reference is added to both.
    Limits: bounded axes are transformed as if they were periodic, so that jumps between their ends count.

    >>> r = torch.randn(2, 3, 1, 16, dtype=torch.float64)
    >>> float(spectrum_error(torch.e * r, r).round(decimals=4))
    4.0
    """
    ours, theirs = shell_energies(u), shell_energies(reference)
    floor = FLOOR * theirs.amax(-1, keepdim=True).clamp_min(torch.finfo(u.dtype).tiny)
    return (torch.log(ours + floor) - torch.log(theirs + floor)).square().mean()


def shell_energies(u: Float[Tensor, "batch time channel *space"]) -> Float[Tensor, "batch channel shell"]:
    """Energy of each shell round(|k|), wavenumbers in units of the box, averaged over the frames."""
    space = u.shape[3:]
    axes = tuple(range(3, u.ndim))
    energy = torch.fft.fftn(u, dim=axes, norm="forward").abs().square().mean(1)
    columns = [torch.fft.fftfreq(n, 1.0 / n, dtype=u.dtype, device=u.device) for n in space]
    squares = sum(k.square().reshape([-1 if a == i else 1 for a in range(len(space))]) for i, k in enumerate(columns))
    shell = squares.sqrt().round().long().expand(space).flatten()
    empty = energy.new_zeros(*energy.shape[:2], max(space) // 2 + 1)
    inside = shell < empty.shape[-1]
    return empty.index_add(-1, shell[inside], energy.flatten(2)[..., inside])
