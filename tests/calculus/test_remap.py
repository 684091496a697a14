"""Remapping of cell averages: conservative, bounded, second order."""

import math

import pytest
import torch

from pdekit.calculus.remap import remap

SIZES = [(16, 12), (16, 8), (12, 31), (15, 15), (9, 18)]


def averages(n: int) -> torch.Tensor:
    """Averages of exp(sin x) over n cells of [0, 2 pi), by Gauss quadrature in each (cell i is centred at 2 pi i/n)."""
    nodes = torch.tensor([-(0.6**0.5), 0.0, 0.6**0.5], dtype=torch.float64)
    weights = torch.tensor([5 / 18, 8 / 18, 5 / 18], dtype=torch.float64)
    x = 2 * math.pi / n * (torch.arange(n, dtype=torch.float64)[:, None] + nodes / 2)
    return (torch.exp(torch.sin(x)) * weights).sum(1)[None, None]


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_integrals_and_bounds_are_kept(old, new):
    u = torch.rand(2, 3, old, 7, dtype=torch.float64)
    out = remap(u, (new, 7))
    torch.testing.assert_close(out.mean((2, 3)), u.mean((2, 3)), rtol=1e-13, atol=0)
    assert out.min() >= u.min() - 1e-12 and out.max() <= u.max() + 1e-12


@pytest.mark.parametrize("refine", [1.5, 2, 0.5])
def test_smooth_fields_are_remapped_at_second_order(refine):
    errors = []
    for n in (32, 64, 128):
        new = int(refine * n)
        errors.append((remap(averages(n), (new,)) - averages(new)).abs().mean().item())
    assert math.log2(errors[1] / errors[2]) > 1.7 and errors[2] < 3e-4


def test_axes_are_independent_and_in_place():
    x, y = averages(12)[0, 0], averages(10)[0, 0]
    u = (x[:, None] * y)[None, None]
    assert remap(u, (12, 10)) is u
    expected = remap(x[None, None], (18,))[0, 0][:, None] * y
    torch.testing.assert_close(remap(u, (18, 10))[0, 0], expected, rtol=1e-13, atol=0)


def test_a_wrong_number_of_sizes_is_refused():
    with pytest.raises(ValueError, match="expected 1 sizes"):
        remap(averages(8), (4, 4))


@pytest.mark.parametrize("old, new", [(12, 8), (8, 12), (9, 27), (30, 7)])
def test_cells_of_a_box_with_ends_keep_sums_and_lines(old, new):
    """Nothing goes around the ends: sums are kept, and a line stays a line but next to the ends."""
    u = torch.rand(2, 3, old, dtype=torch.float64)
    torch.testing.assert_close(remap(u, (new,), ("cells",)).mean(-1), u.mean(-1))
    line = (torch.arange(old, dtype=torch.float64) + 0.5) / old
    expected = (torch.arange(new, dtype=torch.float64) + 0.5) / new
    inside = (expected > 1.5 / old + 0.5 / new) & (expected < 1 - 1.5 / old - 0.5 / new)
    found = remap(line.reshape(1, 1, old), (new,), ("cells",)).flatten()
    torch.testing.assert_close(found[inside], expected[inside])
    assert float(found.min()) >= float(line.min()) - 1e-12 and float(found.max()) <= float(line.max()) + 1e-12
    steps = torch.where(line < 0.5, 1.0, 0.0).double().reshape(1, 1, old)
    assert float(remap(steps, (new,), ("cells",))[..., -1]) == 0.0, "the lower end is no neighbour of the upper"


def test_averages_over_nodes_are_refused():
    with pytest.raises(ValueError, match="expected periodic axes or cells for averages over cells, got nodes"):
        remap(torch.zeros(1, 1, 5), (9,), ("nodes",))
