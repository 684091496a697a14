"""Statistics of one time series: frequency spectrum, integral time scale, distribution.

All functions take ``x``, "... point time", with equal time steps and in float64. They average over the points of a
field, which count as samples of the same process. A series with NaN or Inf gives +inf.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.metrics.quadrature import diverged_as


def frequency_spectrum(x: Float[Tensor, "... point time"]) -> Float[Tensor, "... frequency"]:
    """S(f_j) = 1/2 sum of |x_hat_j|^2 over f_j and -f_j of w (x - <x>), averaged over points; f_j = j/(n dt).

    The mean of each point is removed. The window is Hann's, w_i = sqrt(8/3) sin^2(pi (i + 1/2)/n) with <w^2> = 1: a
    series that is not periodic would otherwise spill its lowest frequencies over all others, like f^-2. Parseval holds
    exactly for what is transformed: sum_j S(f_j) = 1/2 <(w (x - <x>))^2>, which is half the variance in expectation.

    >>> x = torch.cos(2 * math.pi * 8 * torch.arange(64, dtype=torch.float64) / 64).reshape(1, 64)
    >>> s = frequency_spectrum(x)
    >>> int(s.argmax()), round(s.sum().item(), 9)
    (8, 0.25)
    """
    n = x.shape[-1]
    phase = (torch.arange(n, dtype=x.dtype, device=x.device) + 0.5) / n
    window = math.sqrt(8 / 3) * torch.sin(math.pi * phase) ** 2
    x_hat = torch.fft.rfft(window * (x - x.mean(-1, keepdim=True)), norm="forward")
    twice = torch.full((x_hat.shape[-1],), 2.0, dtype=x.dtype, device=x.device)
    twice[0] = 1
    if n % 2 == 0:
        twice[-1] = 1
    return diverged_as(math.inf, (twice * (x_hat.real**2 + x_hat.imag**2)).mean(-2) / 2)


def autocorrelation(x: Float[Tensor, "... point time"]) -> Float[Tensor, "... time"]:
    """rho(l) = C(l)/C(0), C(l) = mean over points and times of x'(t) x'(t + l), x' = x - <x>; NaN if nothing moves."""
    n = x.shape[-1]
    x_hat = torch.fft.rfft(x - x.mean(-1, keepdim=True), 2 * n)
    products = torch.fft.irfft((x_hat.real**2 + x_hat.imag**2).mean(-2), 2 * n)[..., :n]
    covariance = products / torch.arange(n, 0, -1, dtype=x.dtype, device=x.device)
    rounding = torch.finfo(x.dtype).eps * (x**2).mean((-2, -1)).unsqueeze(-1)
    return torch.where(covariance[..., :1] > rounding, covariance / covariance[..., :1], math.nan)


def autocorrelation_time(x: Float[Tensor, "... point time"]) -> Float[Tensor, "..."]:
    """Integral of the autocorrelation up to its first zero, in steps: the integral time scale (Pope 2000, section 3.6).

    Of the broken line through rho(0), rho(1), ...; 1/omega for a wave of frequency omega, the time constant for noise
    with an exponential memory. Too small for a series that is not much longer, because its mean is its own. +inf where
    nothing moves: a frozen field never forgets.

    >>> t = torch.arange(20000, dtype=torch.float64)
    >>> round(autocorrelation_time(torch.cos(0.01 * t).unsqueeze(0)).item())
    100
    """
    rho = autocorrelation(x)
    below = ~(rho > 0)
    first = below.to(torch.int64).argmax(-1, keepdim=True).clamp_min(1)  # rho(0) is 1, or NaN
    before, after = rho.gather(-1, first - 1), rho.gather(-1, first)
    lag = torch.arange(rho.shape[-1] - 1, device=x.device)
    pieces = torch.where(lag < first - 1, (rho[..., 1:] + rho[..., :-1]) / 2, torch.zeros((), dtype=x.dtype))
    return diverged_as(math.inf, pieces.sum(-1) + (before**2 / (before - after) / 2).squeeze(-1))


def ordered(x: Float[Tensor, "... value"]) -> Float[Tensor, "... value"]:
    """Sorted values, NaN at the end. NumPy's sort is used because it moves values alone: torch's carries their places
    along, and takes 18 times as long."""
    return torch.from_numpy(np.sort(x.cpu().numpy(), axis=-1)).to(x.device)


def quantiles(x: Float[Tensor, "... point time"], n: int) -> Float[Tensor, "... n"]:
    """The values below which lie the shares 1/(2 n), 3/(2 n), ... of all values (linear in between): a histogram whose
    bins are not chosen, but hold equal shares.

    >>> quantiles(torch.arange(101, dtype=torch.float64).reshape(1, 101), 5).tolist()
    [10.0, 30.0, 50.0, 70.0, 90.0]
    """
    return quantiles_of(ordered(x.flatten(-2)), n)


def quantiles_of(values: Float[Tensor, "... value"], n: int) -> Float[Tensor, "... n"]:
    """`quantiles` of values that are in order."""
    place = (torch.arange(n, dtype=values.dtype, device=values.device) + 0.5) / n * (values.shape[-1] - 1)
    low = place.floor().long()
    found = torch.lerp(values[..., low], values[..., (low + 1).clamp_max(values.shape[-1] - 1)], place - low)
    return torch.where(_finite(values).unsqueeze(-1), found, torch.full_like(found, math.inf))


def wasserstein(x: Float[Tensor, "... point time"], y: Float[Tensor, "... other when"]) -> Float[Tensor, "..."]:
    """W_1 of the distributions of all values of two series: the mean of |sorted x - sorted y|, in their unit.

    Exact for two samples of equal size: the integral of the difference of their distribution functions.

    >>> x = torch.tensor([[0.0, 1.0, 3.0]], dtype=torch.float64)
    >>> round(wasserstein(x, x.flip(-1) + 5).item(), 9)  # a shift; the order in time does not matter
    5.0
    """
    return wasserstein_of(*(ordered(v.flatten(-2)) for v in (x, y)))


def wasserstein_of(a: Float[Tensor, "... value"], b: Float[Tensor, "... other"]) -> Float[Tensor, "..."]:
    """`wasserstein` of values that are in order."""
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"expected two samples of equal size, got {a.shape[-1]} and {b.shape[-1]}; cut the longer one")
    return torch.where(_finite(a), diverged_as(math.inf, (a - b).abs().mean(-1)), math.inf)


def _finite(values: Tensor) -> Tensor:
    """True where all of the sorted values are finite; NaN and Inf sort to the ends."""
    return values[..., 0].isfinite() & values[..., -1].isfinite()
