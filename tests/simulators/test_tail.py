"""The tail of a spectrum: known shares, and channels that vanish for a while."""

import pytest
import torch

from pdekit.simulators.tail import FLOOR, energies, tail_share


def waves(n, *amplitudes):
    """Sum of cosines by wavenumber, in one dimension."""
    x = torch.arange(n, dtype=torch.float64) * 2 * torch.pi / n
    return 3.0 + sum(a * torch.cos(m * x) for m, a in amplitudes)


@pytest.mark.parametrize("degree, kept", [(2, 21), (3, 15), (5, 10)])
def test_the_tail_begins_at_two_thirds_of_the_modes_kept(degree, kept):
    first = int(2 / 3 * kept) + 1
    for m, share in ((first - 1, 0.0), (first, 0.2)):
        tail, total = energies(waves(64, (1, 2.0), (m, 1.0)).reshape(1, 1, 64), degree)
        torch.testing.assert_close(tail / total, torch.tensor([[share]], dtype=torch.float64), rtol=1e-12, atol=1e-12)


def test_any_axis_counts_and_white_noise_fills_the_tail():
    u = waves(48, (1, 1.0))[:, None] + waves(48, (12, 1.0))
    tail, total = energies(u[None, None], 2)
    assert float(tail / total) == pytest.approx(0.5)
    modes = torch.randn(1, 1, 48, 48, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    tail, total = energies(modes, 2)
    assert 0.7 < float(tail / total) < 0.9  # of all modes of the grid, those within 2/3 of 15 are 21^2 / 48^2 = 0.19


def test_the_worst_channel_is_judged_where_it_is_not_rounding():
    total = torch.tensor([[[1.0, 1e-20], [1.0, 4.0]]], dtype=torch.float64)
    tail = torch.tensor([[[0.1, 0.9e-20], [0.1, 2.0]]], dtype=torch.float64)
    assert tail_share(tail, total)[0].tolist() == pytest.approx([0.1, 0.5])
    assert tail_share(0 * tail, 0 * total).tolist() == [[0.0, 0.0]]
    assert FLOOR == 1e-6


def test_a_small_field_is_judged_by_its_own_energy():
    total = torch.tensor([[[1.0, 1e-8]]], dtype=torch.float64)
    tail = torch.tensor([[[0.0, 0.5e-8]]], dtype=torch.float64)
    torch.testing.assert_close(tail_share(tail, total), torch.full((1, 1), 0.5, dtype=torch.float64))
