"""Finite differences reach their declared order, inside and at walls."""

from math import log2

import pytest
import torch

from pdekit.calculus import FiniteDifference
from pdekit.calculus.finite_difference import _matrix
from pdekit.fields import Grid


@pytest.mark.parametrize("layout", ["periodic", "cells", "nodes"])
@pytest.mark.parametrize("order", [2, 4, 6])
@pytest.mark.parametrize("derivative", [1, 2, 3, 4])
def test_the_error_falls_at_the_declared_order(derivative, order, layout):
    """The largest error, so that the walls count; the absolute error is bounded too."""
    errors = []
    for n in (40, 60):
        grid = Grid((n,), (2 * torch.pi,), (0.3,), (layout,))
        x = grid.coordinates(0)
        d = FiniteDifference(grid, order)
        result = d.along(d.field(torch.sin(x)[None, None]), "x" * derivative)[0, 0]
        errors.append(float((result - torch.sin(x + derivative * torch.pi / 2)).abs().max()))
    slope = log2(errors[0] / errors[1]) / log2(60 / 40)
    assert order - 0.3 < slope < order + 1.0  # at walls an even derivative may gain some
    assert errors[1] < {2: 6e-2, 4: 5e-3, 6: 5e-4}[order]


@pytest.mark.parametrize("order", [2, 4, 6])
@pytest.mark.parametrize("derivative", [1, 2, 3, 4])
def test_polynomials_are_differentiated_exactly_between_walls(derivative, order):
    """Of degree derivative + order - 1, at every point of both bounded layouts."""
    degree = derivative + order - 1
    for layout in ("cells", "nodes"):
        grid = Grid((16,), (2.0,), (-1.0,), (layout,))
        x = grid.coordinates(0)
        d = FiniteDifference(grid, order)
        expected = x ** (degree - derivative)
        for i in range(derivative):
            expected = expected * (degree - i)
        result = d.along(d.field((x**degree)[None, None]), "x" * derivative)[0, 0]
        assert float((result - expected).abs().max()) < 1e-8 * float(expected.abs().max())


def test_known_stencils():
    assert _matrix(8, True, 2, 2)[3, 2:5].tolist() == pytest.approx([1, -2, 1])
    assert _matrix(8, True, 1, 4)[3, 1:6].tolist() == pytest.approx([1 / 12, -2 / 3, 0, 2 / 3, -1 / 12])
    assert _matrix(8, False, 1, 2)[0, :3].tolist() == pytest.approx([-1.5, 2, -0.5])
    assert float(_matrix(8, True, 1, 2)[0, 7]) == pytest.approx(-0.5)  # wraps around


def test_axes_are_independent():
    """Walls in y only; the wall of one axis does not touch the derivative along another."""
    grid = Grid((24, 20), (2 * torch.pi, 1.0), layout=("periodic", "nodes"))
    x, y = grid.mesh()
    d = FiniteDifference(grid, 6)
    u = d.field((torch.sin(x) * y**3)[None, None])
    assert float((d.x(u) - torch.cos(x) * y**3).abs().max()) < 2e-5
    assert float((d.yy(u) - torch.sin(x) * 6 * y).abs().max()) < 1e-9
    assert float((d.xy(u) - torch.cos(x) * 3 * y**2).abs().max()) < 1e-4


def test_boxes_that_vary_over_the_batch():
    lengths = torch.tensor([2.0, 3.0], dtype=torch.float64).reshape(2, 1, 1)
    u = torch.randn(2, 1, 16, dtype=torch.float64)
    both = FiniteDifference(Grid((16,), (lengths,))).xx(u)
    for i in range(2):
        assert torch.allclose(both[i : i + 1], FiniteDifference(Grid((16,), (float(lengths[i]),))).xx(u[i : i + 1]))


def test_an_auxiliary_unknown_is_one_more_equation():
    grid = Grid((32, 32), (2 * torch.pi,) * 2)
    x, y = grid.mesh()
    psi = (torch.sin(x) * torch.cos(2 * y))[None, None]
    d = FiniteDifference(grid, 6, auxiliary={"streamfunction": psi})
    assert d.poisson("streamfunction", -5 * psi) is psi
    assert float(d.auxiliary_residuals["streamfunction"].abs().max()) < 1e-2
    with pytest.raises(ValueError, match=r"auxiliary unknown 'pressure' among the fields, got \['streamfunction'\]"):
        d.poisson("pressure", psi)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="order of 2, 4 or 6, got 3"):
        FiniteDifference(Grid((8,), (1.0,)), 3)
    with pytest.raises(ValueError, match="at least 10 points for derivative 4 of order 6, got 8"):
        FiniteDifference(Grid((8,), (1.0,), layout=("nodes",)), 6).xxxx(torch.zeros(1, 1, 8).double())
    with pytest.raises(ValueError, match=r"\*space = \(8,\), got \(1, 1, 9\)"):
        FiniteDifference(Grid((8,), (1.0,))).field(torch.zeros(1, 1, 9))
    with pytest.raises(ValueError, match="pass time="):
        _ = FiniteDifference(Grid((8,), (1.0,))).time
