"""Band-limited interpolation between periodic grids: u(x) = sum_k u_hat(k) exp(i k.x), cut or padded."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def resample(u: Float[Tensor, "batch channel *space"], shape: Sequence[int]) -> Float[Tensor, "batch channel *new"]:
    """The samples on another number of points of the same periodic box.

    Refining adds zeros to the spectrum: the trigonometric interpolant, exact for band-limited fields. Coarsening
    removes the modes that the coarser grid cannot hold, instead of aliasing them as strided samples would. The
    Nyquist mode of an even axis stands for cos(n x/2): refined, it is shared by +n/2 and -n/2; coarsened to, it
    keeps the real part that the coarse grid can hold. Any sizes, odd or even; the mean is kept.

    >>> x = torch.arange(8, dtype=torch.float64) * 2 * torch.pi / 8
    >>> coarse = resample(torch.cos(x).reshape(1, 1, 8), (4,))
    >>> torch.allclose(coarse.flatten(), torch.tensor([1.0, 0.0, -1.0, 0.0], dtype=torch.float64))
    True
    """
    if len(shape) != u.ndim - 2:
        raise ValueError(f"expected {u.ndim - 2} sizes, one for each axis of u {tuple(u.shape)}, got {tuple(shape)}")
    for axis, n in enumerate(shape, start=2):
        if n != u.shape[axis]:
            u = _resample_axis(u.movedim(axis, -1), n).movedim(-1, axis)
    return u


def _resample_axis(u: Tensor, n: int) -> Tensor:
    """Along the last axis; one axis at a time keeps every transform real."""
    old = u.shape[-1]
    u_hat = torch.fft.rfft(u)
    small = min(old, n)
    kept = u_hat.new_zeros(*u.shape[:-1], n // 2 + 1)
    kept[..., : small // 2 + 1] = u_hat[..., : small // 2 + 1]
    if small % 2 == 0:
        # at the smaller grid's Nyquist mode, half the amplitude belongs to each sign of k when refining; when
        # coarsening both signs fold onto one real mode
        kept[..., small // 2] *= 0.5 if n > old else 2.0
        if n < old:
            kept[..., small // 2] = kept[..., small // 2].real.to(kept.dtype)
    return torch.fft.irfft(kept, n=n) * (n / old)
