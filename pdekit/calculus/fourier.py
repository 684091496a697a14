"""The periodic calculus: u(x) = sum_k u_hat(k) exp(i k.x), derivatives multiply u_hat by i k.

A `FourierField` is lazy. It holds its samples, its spectrum, or a linear combination of spectra that has not been
evaluated yet. A derivative or a sum only records a multiplier, a product multiplies samples, and a transform runs when
a form is missing. Multipliers that apply to the same spectrum merge into one that is computed once per calculus,
so that an equation written verb by verb costs what a hand-written step does (benchmarks/written_once.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pdekit.calculus.base import Calculus, time_derivative
from pdekit.fields import Grid

# A multiplier is named by a tuple of factors: ("d", orders), ("s", number), ("inverse laplacian",) or
# ("+", factors, factors). The empty tuple is the identity.
Factors = tuple[tuple, ...]


class Fourier(Calculus):
    """Exact derivatives of band-limited fields on a periodic box.

    Odd derivatives vanish at the Nyquist wavenumber of an even axis, because the real sawtooth there has no
    representable odd derivative.

    Args:
        grid: periodic; lengths may be tensors "batch 1 *1".
        dtype: float64 or float32; multipliers are computed in float64 and then rounded.
        device: device of the multipliers.
        degree: degree of the polynomial nonlinearity that will be formed. Spectra then hold only the modes
            |m| <= ceil(n/(degree + 1)) - 1 of the last axis (2/3 rule for degree 2), `mask` marks those to keep in
            the others, and products up to that degree are free of aliasing once masked. 1 keeps every mode.
        frames, dt: frames of each trajectory (neighbours along the batch) and their distance, for `t`.
        time: the time of the frames, for equations that depend on it explicitly.
    """

    def __init__(
        self,
        grid: Grid,
        dtype: torch.dtype = torch.float64,
        device: Any = None,
        degree: int = 1,
        frames: int = 1,
        dt: Any = None,
        time: Any = None,
    ):
        if not grid.periodic:
            raise ValueError(
                f"expected a periodic grid, got layout {grid.layout}; use FiniteDifference on bounded grids"
            )
        self.grid, self.dtype, self.device, self.degree = grid, dtype, device, degree
        self.ndim = grid.ndim
        self.frames, self.dt, self._time = frames, dt, time
        self.complex_dtype = torch.complex64 if dtype == torch.float32 else torch.complex128
        self.limits = tuple(n // 2 if degree == 1 else -(-n // (degree + 1)) - 1 for n in grid.shape)
        # Leaving columns out pays where a transform along another axis gets shorter, not in 1-D.
        self.columns = self.limits[-1] + 1 if self.ndim >= 2 else (grid.shape[-1] // 2 + 1 if self.ndim else 1)
        self._space = tuple(range(-self.ndim, 0))
        self._numbers = [self._modes(axis) for axis in range(self.ndim)]
        self._multipliers: dict[Factors, Tensor] = {}
        self._ones: Tensor | None = None

    def _modes(self, axis: int) -> Tensor:
        """Integer mode numbers of an axis, shaped to broadcast over the spectrum."""
        n, last = self.grid.shape[axis], axis == self.ndim - 1
        m = torch.fft.rfftfreq(n, 1 / n, dtype=torch.float64) if last else torch.fft.fftfreq(n, 1 / n).double()
        m = m[: self.columns] if last else m
        return m.round().reshape([-1 if a == axis else 1 for a in range(self.ndim)]).to(self.device)

    @property
    def modes(self) -> tuple[Tensor, ...]:
        """Integer mode numbers of each axis."""
        return tuple(self._numbers)

    @property
    def wavenumbers(self) -> tuple[Tensor, ...]:
        """Angular wavenumbers 2 pi m / L of each axis, float64."""
        return tuple(
            m * (2 * torch.pi / (length.double() if isinstance(length, Tensor) else length))
            for m, length in zip(self._numbers, self.grid.extent, strict=True)
        )

    @property
    def mask(self) -> Tensor:
        """1 on the modes that a product of `degree` factors keeps, in the shape of the spectrum."""
        keep = torch.ones((), dtype=torch.float64, device=self.device)
        if self.degree > 1:
            for m, limit in zip(self._numbers, self.limits, strict=True):
                keep = keep * (m.abs() <= limit)
        return keep.expand(self.spectrum_shape)

    @property
    def spectrum_shape(self) -> tuple[int, ...]:
        return (*self.grid.shape[:-1], self.columns) if self.ndim else ()

    # fields

    def field(self, samples: Tensor) -> FourierField:
        """A field from its samples "batch channel *space"."""
        if tuple(samples.shape[samples.ndim - self.ndim :]) != self.grid.shape or samples.ndim < self.ndim + 2:
            raise ValueError(
                f'expected samples "batch channel *space" with *space = {self.grid.shape}, got '
                f"{tuple(samples.shape)}; give the calculus the grid of the data"
            )
        return FourierField(self, samples=samples)

    def from_spectrum(self, spectrum: Tensor) -> FourierField:
        """A field from its spectrum, the unnormalised real transform over *space (its first columns)."""
        return FourierField(self, terms=((spectrum, ()),))

    def forward(self, samples: Tensor) -> Tensor:
        """Real transform; along the last axis only the columns that are kept."""
        if self.ndim == 0:
            return samples.to(self.complex_dtype)
        u_hat = torch.fft.rfft(samples)
        if self.ndim == 1:
            return u_hat
        if self.degree > 1:
            u_hat = u_hat[..., : self.columns]
        return torch.fft.fftn(u_hat, dim=self._space[:-1])

    def inverse(self, u_hat: Tensor) -> Tensor:
        if self.ndim == 0:
            return u_hat.real
        if self.ndim > 1:
            u_hat = torch.fft.ifftn(u_hat, dim=self._space[:-1])
        return torch.fft.irfft(u_hat, n=self.grid.shape[-1])

    # verbs

    def partial(self, u: FourierField, orders: tuple[int, ...]) -> FourierField:
        return u.multiplied((("d", orders),)) if any(orders) else u

    def poisson(self, name: str, rhs: FourierField) -> FourierField:
        return rhs.multiplied((("inverse laplacian",),))

    def t(self, u: FourierField) -> FourierField:
        return self.field(time_derivative(u.samples, self.frames, self.dt))

    def components(self, u: FourierField) -> tuple[FourierField, ...]:
        return u.components()

    def stack(self, *fields: FourierField) -> FourierField:
        if all(f.sampled_only for f in fields):
            return FourierField(self, samples=_join([f.samples for f in fields]))
        return self.from_spectrum(_join([f.spectrum for f in fields]))

    @property
    def coordinates(self) -> tuple[Tensor, ...]:
        return self.grid.mesh(self.dtype, self.device)

    @property
    def time(self) -> Tensor:
        if self._time is None:
            raise ValueError("expected a time for an equation that depends on it, got none; pass Fourier(time=...)")
        return self._time

    # multipliers

    def multiplier(self, factors: Factors) -> Tensor:
        """The tensor of a named multiplier; computed in float64 once, then kept."""
        if factors not in self._multipliers:
            value = self._product(factors)
            self._multipliers[factors] = value.to(self.complex_dtype).contiguous()
        return self._multipliers[factors]

    def _product(self, factors: Factors) -> Tensor:
        value = torch.ones((), dtype=torch.complex128, device=self.device)
        for factor in factors:
            value = value * self._factor(factor)
        return value

    def _factor(self, factor: tuple) -> Tensor:
        kind, *content = factor
        if kind == "s":
            return torch.tensor(content[0], dtype=torch.complex128, device=self.device)
        if kind == "+":
            return self._product(content[0]) + self._product(content[1])
        k = self.wavenumbers
        if kind == "d":
            value = torch.ones((), dtype=torch.complex128, device=self.device)
            for axis, order in enumerate(content[0]):
                ik = torch.complex(torch.zeros_like(k[axis]), k[axis]) ** order
                n = self.grid.shape[axis]
                if order % 2 and n % 2 == 0:
                    ik = torch.where(self._numbers[axis].abs() == n // 2, 0.0, ik)
                value = value * ik
            return value
        k_squared = sum((k_axis**2 for k_axis in k), start=torch.zeros((), dtype=torch.float64, device=self.device))
        return torch.where(k_squared == 0, 0.0, -1 / torch.where(k_squared == 0, 1.0, k_squared)).to(torch.complex128)

    @property
    def ones(self) -> Tensor:
        """The spectrum of the constant field 1."""
        if self._ones is None:
            self._ones = self.forward(torch.ones((1, 1, *self.grid.shape), dtype=self.dtype, device=self.device))
        return self._ones


class FourierField:
    """A lazy periodic field; see the module. Made by `Fourier.field` and `Fourier.from_spectrum`."""

    __slots__ = ("_calculus", "_samples", "_spectrum", "_terms", "_thunk")

    def __init__(
        self,
        calculus: Fourier,
        samples: Tensor | None = None,
        terms: tuple[tuple[Tensor, Factors], ...] | None = None,
        thunk: Callable[[], Tensor | None] | None = None,
    ):
        self._calculus, self._samples, self._terms, self._thunk = calculus, samples, terms, thunk
        self._spectrum = terms[0][0] if terms is not None and len(terms) == 1 and not terms[0][1] else None

    @property
    def sampled_only(self) -> bool:
        return self._terms is None

    @property
    def samples(self) -> Tensor:
        """Values at the points, "batch channel *space"."""
        if self._samples is None:
            if self._thunk is not None:
                self._samples, self._thunk = self._thunk(), None
            if self._samples is None:
                self._samples = self._calculus.inverse(self.spectrum)
        return self._samples

    @property
    def spectrum(self) -> Tensor:
        if self._spectrum is None:
            if self._terms is None:
                self._spectrum = self._calculus.forward(self._samples)
            else:
                self._spectrum = _sum_terms(self._calculus, self._terms)
            self._terms = ((self._spectrum, ()),)
        return self._spectrum

    @property
    def terms(self) -> tuple[tuple[Tensor, Factors], ...]:
        if self._terms is None:
            _ = self.spectrum
        return self._terms

    def multiplied(self, factors: Factors) -> FourierField:
        """The field with its spectrum multiplied, when it is needed."""
        return FourierField(self._calculus, terms=tuple((base, old + factors) for base, old in self.terms))

    def components(self) -> tuple[FourierField, ...]:
        n, axis = self.n_channels, -1 - self._calculus.ndim
        if n == 1:
            return (self,)
        samples = (None,) * n if self._samples is None else self._samples.split(1, axis)
        spectra = (None,) * n if self.sampled_only else [((part, ()),) for part in self.spectrum.split(1, axis)]
        return tuple(FourierField(self._calculus, s, t) for s, t in zip(samples, spectra, strict=True))

    @property
    def n_channels(self) -> int:
        axis = -1 - self._calculus.ndim
        if self._terms is None:
            return self._samples.shape[axis]
        return max(base.shape[axis] for base, _ in self._terms)

    # arithmetic

    def __neg__(self) -> FourierField:
        return self * -1.0

    def __pos__(self) -> FourierField:
        return self

    def __add__(self, other: Any) -> FourierField:
        return _add(self, other, 1.0)

    def __radd__(self, other: Any) -> FourierField:
        return _add(self, other, 1.0)

    def __sub__(self, other: Any) -> FourierField:
        return _add(self, other, -1.0)

    def __rsub__(self, other: Any) -> FourierField:
        return _add(self * -1.0, other, 1.0)

    def __mul__(self, other: Any) -> FourierField:
        if isinstance(other, FourierField):
            return FourierField(self._calculus, samples=self.samples * other.samples)
        if isinstance(other, Tensor):
            if _is_parameter(other, self._calculus.ndim) and not self.sampled_only:
                return self._calculus.from_spectrum(self.spectrum * other)
            return FourierField(self._calculus, samples=self.samples * other)
        if self.sampled_only:
            return FourierField(self._calculus, samples=self._samples * other)
        return self.multiplied((("s", float(other)),))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> FourierField:
        if isinstance(other, FourierField):
            return FourierField(self._calculus, samples=self.samples / other.samples)
        return self * (1 / other)

    def __rtruediv__(self, other: Any) -> FourierField:
        return FourierField(self._calculus, samples=other / self.samples)

    def __pow__(self, power: float) -> FourierField:
        return FourierField(self._calculus, samples=self.samples**power)

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        lazy = [isinstance(a, FourierField) for a in args]
        if function in _REFLECTED and not kwargs and not lazy[0]:
            return _REFLECTED[function](args[1], args[0])  # tensor * field: a parameter must not force a transform
        if not any(lazy):
            raise ValueError(f"expected a pointwise function of fields, got {function.__name__} of a list; use d.stack")
        values = [a.samples if is_field else a for a, is_field in zip(args, lazy, strict=True)]
        return FourierField(args[lazy.index(True)]._calculus, samples=function(*values, **(kwargs or {})))


_REFLECTED = {
    torch.Tensor.mul: FourierField.__rmul__,
    torch.Tensor.add: FourierField.__radd__,
    torch.Tensor.sub: FourierField.__rsub__,
    torch.Tensor.div: FourierField.__rtruediv__,
}


def _is_parameter(value: Tensor, ndim: int) -> bool:
    """Return whether a tensor is constant in space."""
    return all(n == 1 for n in value.shape[max(value.ndim - ndim, 0) :])


def _join(parts: list[Tensor]) -> Tensor:
    batch = torch.broadcast_shapes(*(p.shape[:1] for p in parts))
    return torch.cat([p.expand(*batch, *p.shape[1:]) for p in parts], dim=1)


def _add(a: FourierField, b: Any, sign: float) -> FourierField:
    calculus = a._calculus
    if not isinstance(b, FourierField):
        b = b if sign == 1.0 else -b
        if a.sampled_only or isinstance(b, Tensor):
            return FourierField(calculus, samples=a.samples + b)
        constant = (calculus.ones, (("s", float(b)),))
        return FourierField(calculus, terms=_merge(a.terms, (constant,)), thunk=lambda: a.samples + b)
    if a.sampled_only and b.sampled_only:
        return FourierField(calculus, samples=torch.add(a.samples, b.samples, alpha=sign))
    other = b.terms if sign == 1.0 else tuple((base, (*factors, ("s", sign))) for base, factors in b.terms)

    def from_samples() -> Tensor | None:
        if a._samples is None or b._samples is None:
            return None
        return torch.add(a._samples, b._samples, alpha=sign)

    return FourierField(calculus, terms=_merge(a.terms, other), thunk=from_samples)


def _merge(first: tuple, second: tuple) -> tuple:
    """The terms of a sum; two multipliers of the same spectrum become one."""
    merged = list(first)
    for base, factors in second:
        for i, (known, old) in enumerate(merged):
            if known is base:
                merged[i] = (base, (("+", old, factors),))
                break
        else:
            merged.append((base, factors))
    return tuple(merged)


def _sum_terms(calculus: Fourier, terms: tuple) -> Tensor:
    """Terms without a multiplier first, so that each of the others is one fused multiply-add."""
    total = None
    for base, factors in sorted(terms, key=lambda term: bool(term[1])):
        if not factors:
            total = base if total is None else total + base
        elif total is None:
            total = base * calculus.multiplier(factors)
        else:
            total = torch.addcmul(total, base, calculus.multiplier(factors))
    return total
