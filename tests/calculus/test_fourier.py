"""The periodic calculus: exact on trigonometric polynomials, lazy without a difference, free of aliasing."""

import itertools
import random

import pytest
import torch

from pdekit.calculus import Fourier
from pdekit.fields import Grid

TURN = 2 * torch.pi


def field_of(grid, function):
    d = Fourier(grid)
    return d, d.field(function(*grid.mesh()).expand(1, 1, *grid.shape))


@pytest.mark.parametrize("n", [8, 9])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_derivatives_of_waves_are_exact(n, order):
    """On even and odd grids, any box: the derivative of sin(k x + 1) is k^order sin(k x + 1 + order pi/2)."""
    grid = Grid((n,), (3.0,), (0.5,))
    x = grid.coordinates(0)
    for m in range(4):
        k = TURN / 3.0 * m
        d = Fourier(grid)
        result = d.along(d.field(torch.sin(k * x + 1)[None, None]), "x" * order).samples[0, 0]
        expected = k**order * torch.sin(k * x + 1 + order * torch.pi / 2)
        assert float((result - expected).abs().max()) < 1e-13 * max(1, k**order) * 10


def test_odd_derivatives_of_the_sawtooth_vanish_and_even_ones_do_not():
    d, u = field_of(Grid((8,), (TURN,)), lambda x: torch.cos(4 * x))
    assert float(d.x(u).samples.abs().max()) < 1e-14
    assert float(d.xxx(u).samples.abs().max()) < 1e-14
    assert float((d.xx(u).samples + 16 * u.samples).abs().max()) < 1e-13


@pytest.mark.parametrize("shape", [(8, 9, 10), (7, 8, 6)])
def test_mixed_derivatives_in_space(shape):
    grid = Grid(shape, (TURN, 2.0, 3.0))
    a, b, c = (TURN / length for length in grid.extent)
    d, u = field_of(grid, lambda x, y, z: torch.sin(a * x + b * y - 2 * c * z + 0.3))
    x, y, z = grid.mesh()
    phase = a * x + b * y - 2 * c * z + 0.3
    for letters in ("x", "y", "z", "xy", "yz", "xxz", "xyz", "yyzz"):
        number = 1.0
        for letter in letters:
            number *= {"x": a, "y": b, "z": -2 * c}[letter]
        expected = number * torch.sin(phase + len(letters) * torch.pi / 2)
        assert float((d.along(u, letters).samples - expected).abs().max()) < 1e-12 * max(1, abs(number)), letters


def test_poisson_inverts_the_laplacian_up_to_the_mean():
    grid = Grid((12, 9), (TURN, 3.0))
    d = Fourier(grid)
    u = d.field(torch.randn(2, 3, 12, 9, dtype=torch.float64))
    psi = d.poisson("any", d.laplacian(u))
    assert float((psi.samples - (u.samples - u.samples.mean((2, 3), keepdim=True))).abs().max()) < 1e-12
    assert float(psi.samples.mean((2, 3)).abs().max()) < 1e-14
    assert float(d.poisson("any", u).samples.mean((2, 3)).abs().max()) < 1e-14


@pytest.mark.parametrize(("shape", "degree"), [((12,), 2), ((13,), 2), ((16,), 3), ((12, 9), 2), ((8, 9, 7), 2)])
def test_products_of_kept_modes_are_free_of_aliasing(shape, degree):
    """The kept modes of a product of `degree` fields are those of the product on a grid fine enough for all."""
    grid = Grid(shape, (TURN,) * len(shape))
    fine = grid.resized(tuple(n * (degree + 1) for n in shape))
    d, d_fine = Fourier(grid, degree=degree), Fourier(fine)
    space = tuple(range(-len(shape), 0))
    product, product_fine = 1.0, 1.0
    for _ in range(degree):
        u_hat = d.forward(torch.randn(1, 1, *shape, dtype=torch.float64)) * d.mask
        u = d.inverse(u_hat)
        u_fine = upsampled(u, grid, fine)
        product, product_fine = product * d.from_spectrum(u_hat), product_fine * d_fine.field(u_fine)
    kept = d.inverse(product.spectrum * d.mask)
    modes = torch.fft.fftn(product_fine.samples, dim=space)
    for axis, limit in enumerate(d.limits):
        number = torch.fft.fftfreq(fine.shape[axis], 1 / fine.shape[axis]).abs().round()
        modes = modes * (number <= limit).reshape([-1 if a == axis else 1 for a in range(len(shape))])
    exact = torch.fft.ifftn(modes, dim=space).real[(..., *(slice(None, None, degree + 1),) * len(shape))]
    assert float((kept - exact).abs().max()) < 1e-12 * float(exact.abs().max())
    assert float((product.samples - exact).abs().max()) > 1e-3  # without the mask they would differ


def upsampled(u, grid, fine):
    """Evaluated mode by mode, on a finer grid."""
    result = torch.zeros(fine.shape, dtype=torch.complex128)
    u_hat = torch.fft.fftn(u[0, 0]) / u[0, 0].numel()
    for index in itertools.product(*(range(n) for n in grid.shape)):
        if abs(u_hat[index]) > 1e-14:
            numbers = [i if i <= n // 2 else i - n for i, n in zip(index, grid.shape, strict=True)]
            phase = sum(m * x for m, x in zip(numbers, fine.mesh(), strict=True))
            result += u_hat[index] * torch.exp(1j * phase)
    return result.real[None, None]


# lazy arithmetic equals eager arithmetic


class Eager:
    """The same verbs at once, on samples, with full complex transforms."""

    def __init__(self, grid):
        self.grid, self.ndim = grid, grid.ndim

    def partial(self, u, orders):
        space = tuple(range(2, 2 + self.ndim))
        u_hat = torch.fft.fftn(u, dim=space)
        for axis, order in enumerate(orders):
            n = self.grid.shape[axis]
            m = torch.fft.fftfreq(n, 1 / n, dtype=torch.float64)
            ik = (2j * torch.pi / self.grid.extent[axis] * m) ** order
            if order % 2 and n % 2 == 0:
                ik[n // 2] = 0
            u_hat = u_hat * ik.reshape([-1 if a == axis else 1 for a in range(self.ndim)])
        return torch.fft.ifftn(u_hat, dim=space).real

    def poisson(self, name, rhs):
        space = tuple(range(2, 2 + self.ndim))
        k_squared = 0
        for axis, n in enumerate(self.grid.shape):
            k = 2 * torch.pi / self.grid.extent[axis] * torch.fft.fftfreq(n, 1 / n, dtype=torch.float64)
            k_squared = k_squared + (k**2).reshape([-1 if a == axis else 1 for a in range(self.ndim)])
        k_squared[(0,) * self.ndim] = torch.inf
        return torch.fft.ifftn(-torch.fft.fftn(rhs, dim=space) / k_squared, dim=space).real

    def components(self, u):
        return u.split(1, dim=1)

    def stack(self, *fields):
        return torch.cat(fields, dim=1)


def random_expression(rng, leaves, parameters, depth):
    """A function of (calculus, leaves, parameters), and its text."""
    if depth == 0 or rng.random() < 0.1:
        i = rng.randrange(leaves)
        return (lambda d, u, p: u[i]), f"u{i}"
    one, text_one = random_expression(rng, leaves, parameters, depth - 1)
    two, text_two = random_expression(rng, leaves, parameters, depth - 1)
    number, j = round(rng.uniform(-2, 2), 2), rng.randrange(parameters)
    orders = rng.choice([(1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (3, 0)])
    choices = [
        (lambda d, u, p: one(d, u, p) + two(d, u, p), f"({text_one} + {text_two})"),
        (lambda d, u, p: one(d, u, p) - two(d, u, p), f"({text_one} - {text_two})"),
        (lambda d, u, p: one(d, u, p) * two(d, u, p), f"({text_one} * {text_two})"),
        (lambda d, u, p: d.partial(one(d, u, p), orders), f"D{orders}{text_one}"),
        (lambda d, u, p: d.partial(one(d, u, p), orders), f"D{orders}{text_one}"),
        (lambda d, u, p: d.poisson("", one(d, u, p)), f"poisson({text_one})"),
        (lambda d, u, p: number * one(d, u, p), f"{number} * {text_one}"),
        (lambda d, u, p: one(d, u, p) / 3, f"{text_one} / 3"),
        (lambda d, u, p: number - one(d, u, p), f"({number} - {text_one})"),
        (lambda d, u, p: one(d, u, p) + number, f"({text_one} + {number})"),
        (lambda d, u, p: p[j] * one(d, u, p), f"p{j} * {text_one}"),
        (lambda d, u, p: one(d, u, p) * p[j], f"{text_one} * p{j}"),
        (lambda d, u, p: p[j] - one(d, u, p), f"(p{j} - {text_one})"),
        (lambda d, u, p: one(d, u, p) / p[j], f"{text_one} / p{j}"),
        (lambda d, u, p: -one(d, u, p), f"-{text_one}"),
        (lambda d, u, p: one(d, u, p) ** 2, f"{text_one}**2"),
        (lambda d, u, p: torch.sin(one(d, u, p)), f"sin({text_one})"),
        (lambda d, u, p: 1 / (2 + torch.cos(one(d, u, p))), f"1 / (2 + cos({text_one}))"),
        (lambda d, u, p: d.stack(*d.components(one(d, u, p))[::-1]), f"swap({text_one})"),
    ]
    return rng.choice(choices)


@pytest.mark.parametrize("shape", [(8, 6), (7, 9)])
def test_lazy_arithmetic_equals_eager_arithmetic(shape):
    """Random expressions of derivatives, products, sums, numbers and parameters, read from samples and spectra."""
    grid, rng = Grid(shape, (TURN, 5.0)), random.Random(3)
    lazy, eager = Fourier(grid), Eager(grid)
    for trial in range(300):
        samples = [torch.randn(2, 2, *shape, dtype=torch.float64) for _ in range(3)]
        parameters = [torch.tensor([0.7, 1.9]).reshape(2, 1, 1, 1).double(), torch.tensor(1.3).double()]
        expression, text = random_expression(rng, 3, 2, rng.randrange(1, 6))
        fields = [lazy.field(u) for u in samples]
        fields[1] = lazy.from_spectrum(lazy.forward(samples[1]))
        fields[2] = 1.0 * fields[2] + 0.0 * lazy.xx(fields[1])  # a sum that nobody has asked for yet
        result, expected = expression(lazy, fields, parameters), expression(eager, samples, parameters)
        if rng.random() < 0.5:
            _ = result.spectrum  # in either order
        scale = 1e-11 * max(1.0, float(expected.abs().max()))
        assert float((result.samples - expected).abs().max()) < scale, (trial, text)
        spectrum = torch.fft.rfft2(expected)
        assert float((result.spectrum - spectrum).abs().max()) < scale * 100, (trial, text)


def test_multipliers_of_one_spectrum_merge_into_one(monkeypatch):
    """-u_xx - 0.5 u_xxxx + 3 u_x - (u + u)/4 multiplies the spectrum once, and transforms nothing."""
    grid = Grid((16,), (TURN,))
    d, counts = Fourier(grid), {"forward": 0, "inverse": 0}
    u = d.from_spectrum(d.forward(torch.randn(1, 1, 16, dtype=torch.float64)))
    for name in counts:
        original = getattr(d, name)

        def counted(value, name=name, original=original):
            counts[name] += 1
            return original(value)

        monkeypatch.setattr(d, name, counted)
    result = -d.xx(u) - 0.5 * d.xxxx(u) + 3 * d.x(u) - (u + u) / 4
    assert len(result.terms) == 1
    k = d.wavenumbers[0]
    expected = (k**2 - 0.5 * k**4 + 3j * torch.where(k == 8, 0.0, k) - 0.5) * u.spectrum
    assert float((result.spectrum - expected).abs().max()) < 1e-10
    assert counts == {"forward": 0, "inverse": 0}
    _ = (u * u).spectrum, u.samples, (u * u).samples
    assert counts == {"forward": 1, "inverse": 1}


def test_lengths_may_vary_over_the_batch():
    lengths = torch.tensor([2.0, 3.0], dtype=torch.float64)
    u = torch.randn(2, 1, 8, 6, dtype=torch.float64)
    d = Fourier(Grid((8, 6), (lengths.reshape(2, 1, 1, 1), 4.0)))
    both = d.laplacian(d.x(d.field(u))).samples
    for i in range(2):
        single = Fourier(Grid((8, 6), (float(lengths[i]), 4.0)))
        alone = single.laplacian(single.x(single.field(u[i : i + 1]))).samples
        assert float((both[i : i + 1] - alone).abs().max()) < 1e-12 * float(alone.abs().max())


def test_gradients_flow_through():
    grid = Grid((6, 5), (TURN, 3.0))
    d = Fourier(grid)

    def function(u, p):
        field = d.field(u)
        psi = d.poisson("psi", -(p * field))
        return (d.x(psi) * field + torch.sin(d.yy(field)) - d.xx(field * field)).samples

    u = torch.randn(2, 1, 6, 5, dtype=torch.float64, requires_grad=True)
    p = torch.tensor([0.7, 1.2], dtype=torch.float64).reshape(2, 1, 1, 1).requires_grad_()
    assert torch.autograd.gradcheck(function, (u, p))


def test_float32_multipliers_are_rounded_from_float64():
    grid = Grid((64,), (TURN,))
    d, exact = Fourier(grid, torch.float32), Fourier(grid)
    u = torch.randn(1, 1, 64, dtype=torch.float64)
    single, double = d.xxxx(d.field(u.float())).samples, exact.xxxx(exact.field(u)).samples
    assert single.dtype == torch.float32
    assert float((single - double).abs().max() / double.abs().max()) < 1e-6


def test_zero_dimensional_fields():
    d = Fourier(Grid((), ()))
    x = torch.randn(3, 4, dtype=torch.float64)
    u = d.field(x)
    assert torch.allclose((2 * u * u - torch.roll(u, 1, dims=1)).samples, 2 * x * x - x.roll(1, 1))
    assert torch.allclose(d.stack(*d.components(u)[::-1]).samples, x.flip(1))
    assert torch.equal(d.from_spectrum(u.spectrum).samples, x)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="expected a periodic grid"):
        Fourier(Grid((8,), (1.0,), layout=("nodes",)))
    d = Fourier(Grid((8, 6), (1.0, 1.0)))
    with pytest.raises(ValueError, match=r"\*space = \(8, 6\), got \(1, 1, 6, 8\)"):
        d.field(torch.zeros(1, 1, 6, 8))
    with pytest.raises(ValueError, match="derivatives in"):
        d.z(d.field(torch.zeros(1, 1, 8, 6)))
    with pytest.raises(ValueError, match="expected a time"):
        _ = d.time
    with pytest.raises(ValueError, match=r"use d\.stack"):
        torch.cat([d.field(torch.zeros(1, 1, 8, 6))] * 2)
