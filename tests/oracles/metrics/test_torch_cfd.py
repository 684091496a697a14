"""Sobolev norms next to the loss in the repository of torch-cfd (fno/losses.py, commit 0eaa5e0).

The loss is not in the package, so that its weight stands here as its formula: the root of |k|^2, to the power s/2, and
for s = 0 to the power 1, where its comments promise the norms of H^s.
"""

from math import log2, pi

import pytest
import torch

from pdekit.fields import Field, Grid, Problem
from pdekit.metrics.spectra import sobolev_norm

pytestmark = pytest.mark.oracle

N = 64
PROBLEM = Problem(Grid((N, N), (1.0, 1.0)), (Field("u"),), dt=1.0, n_frames=2)


def their_norm(u, order):
    """Of a field of zero mean on the unit square."""
    k = 2 * pi * torch.fft.fftfreq(N, 1 / N, dtype=torch.float64)
    root = (k[:, None] ** 2 + k[None] ** 2).sqrt()
    root[0, 0] = 1
    weight = root ** (order / 2) if order else root
    return float((weight * torch.fft.fft2(u, norm="forward")).abs().square().sum().sqrt())


def wave(m):
    x, y = PROBLEM.grid.mesh()
    return torch.cos(2 * pi * m * (x + y))


@pytest.mark.parametrize(("order", "found"), [(-2, -1.0), (-1, -0.5), (0, 1.0), (1, 0.5), (2, 1.0)])
def test_their_norm_has_another_order_than_it_says(order, found):
    """Per octave of the wavenumber a norm of order s grows by 2^s."""
    octave = log2(their_norm(wave(8), order) / their_norm(wave(4), order))
    assert octave == pytest.approx(found, abs=1e-9)
    ours = [float(sobolev_norm(wave(m)[None, None, None], PROBLEM, order)) for m in (4, 8)]
    assert log2(ours[1] / ours[0]) == pytest.approx(order, abs=2e-3)  # of (1 + |k|^2)^(s/2)


def test_their_relative_error_in_l2_is_one_in_h1():
    """An error of 1 % in the eighth harmonic of a wave reads 8 %."""
    reference, error = wave(1), 0.01 * wave(8)
    assert their_norm(error, 0) / their_norm(reference, 0) == pytest.approx(0.08, rel=1e-9)
    norms = [float(sobolev_norm(v[None, None, None], PROBLEM, 0)) for v in (error, reference)]
    assert norms[0] / norms[1] == pytest.approx(0.01, rel=1e-12)
