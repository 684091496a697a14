"""Statistics over a window of time, which a forecast can match after predictability has ended.

A `Window` reads frames in order. For each trajectory it keeps the sum of the fields and of their spectra, and the
values at `POINTS` random points of space or fewer. It keeps at most `VALUES` values, with fewer points in a long
window, so its memory is independent of the grid and bounded in time. Two windows are compared by
the measures of `STATISTICS`, which are "batch channel" (of all channels together: "batch").

A short window of the reference has a statistical error of its own. The *floor* of a statistic is the difference between
the two halves of the reference's window; smaller errors of a forecast mean nothing. A half has half the length, so the
floor is about sqrt(2) times the error of the whole window if it holds many autocorrelation times.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pdekit.fields import Problem, n_values
from pdekit.metrics import series
from pdekit.metrics.attractors import correlation_dimension, sliced_wasserstein
from pdekit.metrics.quadrature import average, diverged_as, space_dims
from pdekit.metrics.spectra import decades, rounding_power
from pdekit.metrics.sums import Sums

POINTS = 64
VALUES = 2**15
"""Values of a series, of one channel of one trajectory."""

FEWEST_FRAMES = 16
"""Frames of the shortest window of which statistics are taken."""

QUANTILES = 32


class Window:
    """Statistics of a batch of trajectories over consecutive frames.

    Args:
        problem: problem of the trajectories.
        points: "batch channel point" from `points_of`, the same for all windows that are compared.
        spectral: whether to take in spectra; needs a whole box.
        mask: "batch field *space" or None.
    """

    def __init__(self, problem: Problem, points: Tensor, spectral: bool = False, mask: Tensor | None = None):
        self.problem, self.points, self.spectral, self.mask = problem, points, spectral, mask
        self.n_frames, self.eps = 0, 0.0
        self.power = torch.zeros((), dtype=torch.float64, device=points.device)
        self.total = self.power
        self._pieces: list[Tensor] = []
        self._made: dict[str, Tensor] = {}

    def update(self, u: Sums, frames: slice = slice(None)) -> None:
        """Take in frames "batch time channel *space" of a reference or a forecast."""
        values, at, self._made = u.u[:, frames], self.points.device, {}
        if not values.shape[1]:
            return
        n_space = len(space_dims(self.problem))
        flat = values.flatten(-n_space) if n_space else values.unsqueeze(-1)
        index = self.points.to(flat.device).unsqueeze(1).expand(-1, flat.shape[1], -1, -1)
        self._pieces.append(flat.gather(-1, index).to(at))
        self.n_frames += values.shape[1]
        self.eps = max(self.eps, u.eps)
        added = torch.zeros_like(values[:, 0], dtype=torch.float64)
        for frame in values.unbind(1):  # five to eight times as fast as a float64 sum over this axis
            added += frame
        self.total = self.total + added.to(at)
        if self.spectral:
            self.power = self.power + u.power[:, frames].sum(1, dtype=torch.float64).to(at)

    def joined(self, later: Window) -> Window:
        """The window that this one and the next make together."""
        whole = Window(self.problem, self.points, self.spectral, self.mask)
        whole.n_frames, whole.eps = self.n_frames + later.n_frames, max(self.eps, later.eps)
        whole.total, whole.power = self.total + later.total, self.power + later.power
        whole._pieces = [*self._pieces, *later._pieces]
        return whole

    @property
    def mean(self) -> Tensor:
        """The field, averaged over time."""
        return self.total / self.n_frames

    @property
    def spectrum(self) -> Tensor:
        """sum |u_hat|^2 of each shell, averaged over time."""
        return self.power / self.n_frames

    @property
    def series(self) -> Tensor:
        """Values at the points, "batch channel point time"."""
        return self._once("series", lambda: torch.cat(self._pieces, 1).movedim(1, -1).double())

    @property
    def values(self) -> Tensor:
        """The same in the order of their size, "batch channel value"."""
        return self._once("values", lambda: series.ordered(self.series.flatten(-2)))

    @property
    def frequency_spectrum(self) -> Tensor:
        """Of the series, "batch channel frequency"."""
        return self._once("frequency_spectrum", lambda: series.frequency_spectrum(self.series))

    @property
    def states(self) -> Tensor:
        """The series as vectors, "batch time coordinate"."""
        return self.series.flatten(1, 2).mT

    def _once(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        """Return a cached value that several statistics share; new frames clear the cache."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]


def points_of(problem: Problem, n_batch: int, n_frames: int, mask: Tensor | None = None) -> Tensor:
    """Indices of the points of space whose series a window keeps, "batch channel point", inside the mask.

    The points are random, distinct and the same in each call. A regular lattice could sample a periodic forcing at
    equal phases and see it as a constant.
    """
    n, shape = n_values(problem.grid), (n_batch, problem.n_channels)
    most = max(1, min(POINTS, VALUES // n_frames, n))
    draw = torch.rand(n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    if mask is None:
        return draw.topk(most, largest=False).indices.expand(*shape, most)
    inside = (mask.flatten(2) > 0).expand(*shape, n).cpu()
    most = max(1, min(most, int(inside.sum(-1).min())))
    return (draw + (~inside).to(draw)).topk(most, largest=False).indices


def time_mean_rmse(u: Window, reference: Window) -> Tensor:
    """RMSE over space of the field that is averaged over time, in the unit of the field."""
    error = u.mean - reference.mean
    return diverged_as(math.inf, average(error.unsqueeze(1) ** 2, u.problem, u.mask)[:, 0].sqrt())


def time_mean_spectral_distance(u: Window, reference: Window) -> Tensor:
    """Log-spectral distance of the spectra that are averaged over time, in decades; +inf for an empty shell."""
    spectrum = diverged_as(math.inf, u.spectrum)
    return decades(spectrum, reference.spectrum, empty=rounding_power(spectrum.sum(-1), u.eps))


def one_point_wasserstein(u: Window, reference: Window) -> Tensor:
    """W_1 of the distributions of the values at one point and time, in the unit of the field."""
    return series.wasserstein_of(u.values, reference.values)


def frequency_spectral_distance(u: Window, reference: Window) -> Tensor:
    """Log-spectral distance of the frequency spectra, in decades.

    Not defined (NaN) where the reference stands still, to the rounding of its values, and the forecast is finite.
    """
    empty, still = (rounding_power((window.series**2).mean((-2, -1)), window.eps) for window in (u, reference))
    distance = decades(u.frequency_spectrum, reference.frequency_spectrum, empty=empty)
    undefined = (reference.frequency_spectrum.sum(-1) <= still) & u.series.isfinite().all(-1).all(-1)
    return torch.where(undefined, math.nan, distance)


def invariant_measure_distance(u: Window, reference: Window) -> Tensor:
    """`sliced_wasserstein` of the states, every channel divided by the reference's standard deviation.

    A channel whose reference is constant, to the rounding of its values, has no scale: it is divided by its RMS, and
    left as it is where that is zero.
    """
    deviation, size = reference.series.std((2, 3), correction=0), reference.series.square().mean((2, 3)).sqrt()
    size = torch.where(deviation > 16 * reference.eps * size, deviation, size)
    scale = torch.where(size > 0, 1 / size, torch.ones_like(size))
    scale = scale.repeat_interleave(reference.points.shape[-1], 1).unsqueeze(1)
    return sliced_wasserstein(u.states * scale, reference.states * scale)


@dataclass(frozen=True)
class Statistic:
    """A distance of the statistics of two windows f(u, reference), and what it promises.

    Args:
        function: the distance; 0 for the reference itself, +inf for a diverged forecast.
        unit_power: power of the field's unit that the value carries.
        ten_percent: its value for a forecast of 1.1 times the reference, one that is +1 and -1 equally often at each
            point, half of the points being +1 at a time; of `time_mean_rmse` for a constant reference of +1 and -1.
        joint: whether there is one value for all channels together.
        whole_box: whether it needs every point of a box.
    """

    function: Callable[[Window, Window], Tensor]
    unit_power: int
    ten_percent: float
    joint: bool = False
    whole_box: bool = False

    @property
    def name(self) -> str:
        return self.function.__name__


STATISTICS = (
    Statistic(time_mean_rmse, unit_power=1, ten_percent=0.1),
    Statistic(time_mean_spectral_distance, unit_power=0, ten_percent=2 * math.log10(1.1), whole_box=True),
    Statistic(one_point_wasserstein, unit_power=1, ten_percent=0.1),
    Statistic(frequency_spectral_distance, unit_power=0, ten_percent=2 * math.log10(1.1)),
    Statistic(invariant_measure_distance, unit_power=0, ten_percent=0.1, joint=True),
)
"""All of them, in the order of docs/metrics.md."""


def descriptions(window: Window) -> dict[str, Tensor]:
    """Statistics of one window by name: "batch channel", with one more axis for spectra and quantiles.

    ``autocorrelation_time`` is in frames.
    """
    return {
        "autocorrelation_time": series.autocorrelation_time(window.series),
        "frequency_spectrum": window.frequency_spectrum,
        "one_point_quantile": series.quantiles_of(window.values, QUANTILES),
    }


def dimension(window: Window) -> Tensor:
    """Correlation dimension of the states of each trajectory, "batch": for systems without space.

    Pairs within three autocorrelation times (the longest of the channels) are left out.
    """
    memory = series.autocorrelation_time(window.series)
    longest = torch.where(memory.isfinite(), memory, torch.zeros_like(memory)).amax(1)
    found = [
        correlation_dimension(states, apart=int(3 * frames) + 1)
        for states, frames in zip(window.states, longest.tolist(), strict=True)
    ]
    return torch.tensor(found, dtype=torch.float64)
