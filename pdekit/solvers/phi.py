"""phi_0(z) = exp(z), phi_{j+1}(z) = (phi_j(z) - 1/j!) / z: the functions of exponential integrators."""

from __future__ import annotations

import torch
from jaxtyping import Complex
from torch import Tensor

CONTOUR_POINTS, CONTOUR_RADIUS = 64, 2.0


def phi_scalar(z: Complex[Tensor, "*any"], n: int) -> list[Complex[Tensor, "*any"]]:
    """phi_0 ... phi_n of every entry, to 1e-14 of its size.

    Where |z| > 1 the recursion above is accurate. Elsewhere it cancels, and phi_j(z) is the mean of phi_j over a
    full circle of radius 2 around z, which stays away from the recursion's pole at 0; the mean converges
    geometrically, 64 points reach rounding. A half circle with the real part taken would be right for real z only:
    it gives a wrong Korteweg-de Vries equation (imaginary z) that Burgers and Kuramoto-Sivashinsky do not notice.

    Source: Kassam and Trefethen (2005), section 3, with the full circle, and only where it is needed: on one of
    radius 1 around every z, a z near the unit circle can put a point of it on the pole.

    >>> [round(f.real.item(), 6) for f in phi_scalar(torch.tensor(0j, dtype=torch.complex128), 3)]  # 1/j!
    [1.0, 1.0, 0.5, 0.166667]
    """
    small = z.abs() <= 1
    centre = torch.where(small, z, 0)
    angle = 2 * torch.pi * (torch.arange(CONTOUR_POINTS, dtype=torch.float64, device=z.device) + 0.5) / CONTOUR_POINTS
    means = [torch.zeros_like(z) for _ in range(n)]
    for point in torch.polar(torch.full_like(angle, CONTOUR_RADIUS), angle):
        for j, value in enumerate(_recursion(centre + point, n)):
            means[j] = means[j] + value / CONTOUR_POINTS
    values = _recursion(torch.where(small, 1, z), n)
    return [torch.exp(z)] + [torch.where(small, mean, value) for mean, value in zip(means, values, strict=True)]


def _recursion(z: Tensor, n: int) -> list[Tensor]:
    """phi_1 ... phi_n by their definition."""
    values, value, factorial = [], torch.exp(z), 1.0
    for j in range(n):
        value = (value - 1 / factorial) / z
        factorial *= j + 1
        values.append(value)
    return values


def phi_matrix(z: Complex[Tensor, "*any row column"], n: int) -> list[Complex[Tensor, "*any row column"]]:
    """phi_0 ... phi_n of square matrices, from the exponential of one block matrix.

    exp of [[z, I, 0], [0, 0, I], [0, 0, 0]] has phi_1(z), phi_2(z), ... in its first block row. The relative error
    is about 1e-16 times the norm of z where eigenvalues differ in size or are imaginary, 1e-15 where it is small.

    Source: Al-Mohy and Higham (2011), theorem 2.1.
    """
    m = z.shape[-1]
    block = torch.zeros(*z.shape[:-2], (n + 1) * m, (n + 1) * m, dtype=z.dtype, device=z.device)
    block[..., :m, :m] = z
    eye = torch.eye(m, dtype=z.dtype, device=z.device)
    for j in range(n):
        block[..., j * m : (j + 1) * m, (j + 1) * m : (j + 2) * m] = eye
    exponential = torch.linalg.matrix_exp(block)
    return [exponential[..., :m, j * m : (j + 1) * m].contiguous() for j in range(n + 1)]
