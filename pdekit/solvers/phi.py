"""phi_0(z) = exp(z), phi_{j+1}(z) = (phi_j(z) - 1/j!) / z: the functions of exponential integrators."""

from __future__ import annotations

import torch
from jaxtyping import Complex
from torch import Tensor

CONTOUR_POINTS = 64


def phi_scalar(z: Complex[Tensor, "*any"], n: int) -> list[Complex[Tensor, "*any"]]:
    """phi_0 ... phi_n of every entry, by the mean over a full circle of radius 1 around it.

    A half circle with the real part taken is only right for real z: it gives a wrong KdV (imaginary z) that
    Burgers and Kuramoto-Sivashinsky do not notice. The mean converges geometrically; 64 points reach rounding.

    Source: Kassam and Trefethen (2005), section 3, with the full circle.
    """
    angle = 2 * torch.pi * (torch.arange(CONTOUR_POINTS, dtype=torch.float64, device=z.device) + 0.5) / CONTOUR_POINTS
    circle = torch.polar(torch.ones_like(angle), angle)
    sums = [torch.zeros_like(z) for _ in range(n)]
    for point in circle:
        w = z + point
        value, factorial = torch.exp(w), 1.0
        for j in range(n):
            value = (value - 1 / factorial) / w
            factorial *= j + 1
            sums[j] = sums[j] + value
    return [torch.exp(z)] + [s / CONTOUR_POINTS for s in sums]


def phi_matrix(z: Complex[Tensor, "*any row column"], n: int) -> list[Complex[Tensor, "*any row column"]]:
    """phi_0 ... phi_n of square matrices, from the exponential of one block matrix.

    exp of [[z, I, 0], [0, 0, I], [0, 0, 0]] has phi_1(z), phi_2(z), ... in its first block row. Each column of the
    block matrix is scaled so that norms stay balanced.

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
