"""All calculi give the same derivatives of the same smooth field, verb by verb; and time derivatives."""

import pytest
import torch

from pdekit.calculus import Autodiff, FiniteDifference, Fourier, Taylor
from pdekit.calculus.base import time_derivative
from pdekit.fields import Grid

EXTENT = (2 * torch.pi, 3.0, 2.0)
SCALAR = ["x", "y", "z", "xx", "yy", "zz", "xy", "xz", "yz", "xxx", "xxxx", "grad", "laplacian", "biharmonic"]
VECTOR = ["div", "curl"]


def smooth(coordinates, channels):
    """ndim channels of a few waves; every derivative is of order one to ten."""
    k = [2 * torch.pi / length for length in EXTENT]
    phases = [a * x for a, x in zip(k, coordinates, strict=False)]
    total = sum(phases[1:], start=phases[0])
    return [torch.sin(total + i) + 0.5 * torch.cos(phases[-1] - 2 * i) for i in range(channels)]


class Nested(dict):
    """D^a of some outputs, by nested differentiation when asked for."""

    def __init__(self, outputs, d):
        self.outputs, self.d = outputs, d

    def __missing__(self, index):
        self[index] = self.d.partial(self.outputs, index[:-1])
        return self[index]


def verbs(ndim):
    exist = [v for v in SCALAR if all(letter in "xyz"[:ndim] for letter in v) or len(v) > 4]
    return exist + [v for v in VECTOR if ndim > 1 or v == "div"]


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_calculi_agree(ndim):
    shape = ((48,), (32, 30), (20, 18, 16))[ndim - 1]
    grid = Grid(shape, EXTENT[:ndim])
    mesh = grid.mesh()
    flat = [x.reshape(-1, 1).clone().requires_grad_() for x in mesh]
    t = torch.zeros_like(flat[0]).requires_grad_()
    samples = torch.stack(smooth(mesh, ndim))[None]
    outputs = torch.cat(smooth(flat, ndim), dim=1)
    fourier, nested = Fourier(grid), Autodiff((*flat, t))
    difference = FiniteDifference(grid, 6)
    for verb in verbs(ndim):
        n = ndim if verb in VECTOR else 1
        exact = getattr(nested, verb)(outputs[:, :n])
        taylor = Taylor((*flat, t), Nested(outputs[:, :n], nested), n)
        assert torch.allclose(getattr(taylor, verb)(taylor.field).value, exact, rtol=1e-12)
        exact = exact.detach().T.reshape(1, -1, *shape)
        spectral = getattr(fourier, verb)(fourier.field(samples[:, :n])).samples
        discrete = getattr(difference, verb)(difference.field(samples[:, :n]))
        size = float(exact.abs().max())
        assert size > 0.1 and float((spectral - exact).abs().max()) < 1e-10 * size, verb
        assert float((discrete - exact).abs().max()) < (2e-4, 2e-3, 3e-2)[ndim - 1] * size, verb


def test_curl_and_divergence_have_the_right_signs():
    """A rotation (-y, x) has the vorticity 2, an expansion (x, y) the divergence 2, on a bounded grid."""
    grid = Grid((8, 8), (2.0, 2.0), (-1.0, -1.0), ("nodes", "nodes"))
    x, y = grid.mesh()
    d = FiniteDifference(grid, 2)
    assert d.curl(torch.stack((-y, x))[None]).mean().item() == pytest.approx(2)
    assert d.div(torch.stack((x, y))[None]).mean().item() == pytest.approx(2)
    box = Grid((6, 6, 6), (2.0,) * 3, (-1.0,) * 3, ("nodes",) * 3)
    x, y, z = box.mesh()
    curl = FiniteDifference(box, 2).curl(torch.stack((-y, x, 0 * z))[None])
    assert curl.mean((0, 2, 3, 4)).tolist() == pytest.approx([0, 0, 2], abs=1e-12)


def test_time_derivatives_are_of_second_order_at_every_frame():
    errors = []
    for frames in (11, 21):
        t = torch.linspace(0, 1, frames, dtype=torch.float64)
        u = torch.stack((torch.sin(2 * t), torch.exp(t))).reshape(2 * frames, 1, 1)
        rate = time_derivative(u, frames, 1 / (frames - 1)).reshape(2, frames)
        errors.append((rate - torch.stack((2 * torch.cos(2 * t), torch.exp(t)))).abs().amax(dim=0)[[0, 3, -1]])
    assert ((errors[0] / errors[1]) > 3.4).all() and (errors[1] < 1e-2).all()


def test_the_time_between_frames_may_vary():
    u = (torch.arange(5.0) ** 2).repeat(2).reshape(10, 1, 1).double()
    dt = torch.tensor([1.0, 0.5], dtype=torch.float64).reshape(2, 1, 1)
    assert time_derivative(u, 5, dt).flatten().tolist() == pytest.approx([0, 2, 4, 6, 8, 0, 4, 8, 12, 16])


def test_too_few_frames_are_refused():
    with pytest.raises(ValueError, match="at least 3 frames for a time derivative, got 2"):
        time_derivative(torch.zeros(4, 1, 8), 2, 0.1)
