"""Lyapunov exponents: lambda_i = lim 1/t log of the growth of the i-th direction of an infinitesimal ball."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class LyapunovSpectrum:
    """The leading exponents of a flow.

    Args:
        growth: local exponents of every interval, per unit time; the exponents are their means.
        states: final states of the trajectories.
        blocks: pieces of time of each trajectory, for the standard error of fewer trajectories than that.
    """

    growth: Float[Tensor, "batch interval exponent"]
    states: Float[Tensor, "batch channel *space"]
    blocks: int = 10

    @property
    def exponents(self) -> Float[Tensor, " exponent"]:
        """Largest first, per unit time."""
        return self.growth.mean(dim=(0, 1))

    @property
    def standard_error(self) -> Float[Tensor, " exponent"]:
        """One standard deviation of each exponent, from pieces taken to be independent.

        The pieces are the trajectories where there are at least `blocks` of them, else blocks of them. It does not
        cover a transient that was chosen too short, nor two attractors that coexist (see `still_changing`).
        """
        pieces = (self.growth,) if len(self.growth) >= self.blocks else self.growth.tensor_split(self.blocks, dim=1)
        means = torch.cat([piece.mean(dim=1) for piece in pieces])
        return means.std(dim=0) / sqrt(len(means))

    def over(self, chosen: Bool[Tensor, " batch"]) -> LyapunovSpectrum:
        """The exponents of some of the trajectories, for example of those that are `still_changing`.

        Raises:
            ValueError: if none is chosen.
        """
        if not chosen.any():
            raise ValueError(f"expected at least one of {len(chosen)} trajectories, got none; choose others")
        return LyapunovSpectrum(self.growth[chosen], self.states[chosen], self.blocks)

    @property
    def lyapunov_time(self) -> float:
        """The time in which a small error grows e-fold; inf if none grows."""
        largest = float(self.exponents[0])
        return 1 / largest if largest > 0 else float("inf")

    @property
    def kaplan_yorke_dimension(self) -> float:
        """j + sum_{i<=j} lambda_i / |lambda_{j+1}|, j the last index whose partial sum is not negative.

        Raises:
            ValueError: if the partial sums have not turned negative within the exponents at hand.
        """
        sums = self.exponents.cumsum(0)
        j = int((sums >= 0).sum())
        if j == len(sums):
            raise ValueError(
                f"expected partial sums that turn negative, got {sums.tolist()}; ask for more than {j} exponents"
            )
        return j + (float(sums[j - 1] / self.exponents[j].abs()) if j else 0.0)


@dataclass(frozen=True)
class Copies:
    """Perturbed copies that follow each state.

    Args:
        n: number of copies, and of exponents; at most the dimension of the state.
        every: steps between two factorisations; the growth in between must stay below 1 / size, and the leading
            direction must not swallow the others.
        size: relative size of the perturbations. The error of an exponent is some tens of size per unit time from the
            nonlinearity (Lorenz-63: 20), and 1e-16 / size over the time between factorisations from rounding.
    """

    n: int = 1
    every: int = 1
    size: float = 1e-6


def lyapunov_exponents(
    step: Callable[[Tensor], Tensor],
    u: Float[Tensor, "batch channel *space"],
    dt: float,
    n_steps: int,
    copies: Copies = Copies(),
    transient: int = 0,
    blocks: int = 10,
    generator: torch.Generator | None = None,
) -> LyapunovSpectrum:
    """The leading exponents by the method of Benettin: perturbed copies, orthonormalised again and again.

    Each state is followed by n copies at a distance of ``size`` times its root mean square, all in one batch. After
    ``every`` steps the differences are factored as Q R: the copies restart along Q, and log|R_ii| / (every dt) are
    local exponents. Differences of states need no derivative of the step, so any step will do: a solver, a
    surrogate, a function of an ordinary differential equation.

    Args:
        step: "batch channel *space" -> the same one dt later; must not depend on the position in the batch.
        u: states on or near the attractor, float64.
        dt: time step.
        n_steps: steps that count, a multiple of ``every``; the more states, the fewer are needed.
        copies: number, size and renewal of the perturbed copies; as many exponents are found.
        transient: steps before, in which states reach the attractor and perturbations their directions: several times
            1 / (difference of the first two exponents), or the mean is too low.
        blocks: blocks of time per state, for the standard error of few states; each should be longer than the
            correlation time.
        generator: generator of the first directions.

    Raises:
        ValueError: sizes that do not fit together, float32 states, or a state that diverges.

    Source: Benettin et al. (1980), with QR as in Eckmann and Ruelle (1985), section V.C.

    >>> found = lyapunov_exponents(lambda u: 1.1 * u, torch.ones(1, 3, dtype=torch.float64), dt=0.1, n_steps=20)
    >>> round(float(found.exponents[0]), 4)  # log(1.1) / 0.1
    0.9531
    """
    _check_sizes(u, copies, n_steps, transient, blocks)
    dimension, every = u[0].numel(), copies.every
    # drawn where the generator lives: the same directions on every device
    place = generator.device if generator is not None else "cpu"
    directions = torch.randn(len(u), dimension, copies.n, dtype=u.dtype, device=place, generator=generator).to(u.device)
    directions = torch.linalg.qr(directions).Q
    growth = []
    with torch.no_grad():
        for _ in range((transient + n_steps) // every):
            u, directions, factors = _interval(step, u, directions, copies)
            growth.append(factors.log() / (every * dt))
    kept = torch.stack(growth[transient // every :], dim=1)
    if not kept.isfinite().all():
        raise ValueError("expected a bounded flow, got a state or difference that vanishes or diverges; check dt")
    return LyapunovSpectrum(kept, u, blocks)


def _check_sizes(u: Tensor, copies: Copies, n_steps: int, transient: int, blocks: int) -> None:
    """Raise ValueError on sizes of `lyapunov_exponents` that do not fit together, or states in float32."""
    dimension, n, every = u[0].numel(), copies.n, copies.every
    if not 1 <= n <= dimension:
        raise ValueError(
            f"expected between 1 and {dimension} exponents (the dimension of the state), got n = {n}; correct n"
        )
    if every < 1 or n_steps % every or n_steps // every < blocks or transient % every:
        raise ValueError(
            f"expected n_steps and transient to be multiples of every, with at least {blocks} intervals (blocks), got "
            f"n_steps = {n_steps}, transient = {transient}, every = {every}; round them"
        )
    if u.dtype != torch.float64:
        raise ValueError(f"expected float64 states, got {u.dtype}; small differences are lost to rounding otherwise")


def still_changing(
    step: Callable[[Tensor], Tensor],
    u: Float[Tensor, "batch channel *space"],
    n_steps: int,
    apart: int,
    tolerance: float = 0.01,
) -> Bool[Tensor, " batch"]:
    """Return whether trajectories have not come to rest n_steps later, or to travelling unchanged.

    Compares the amplitudes of the Fourier modes at the end with those `apart` steps before: the norm of their
    change, relative to their norm, is above `tolerance`. A translation does not change amplitudes, so that a travelling
    state counts as one at rest. The exponents play no part in it.

    Where chaos is transient, or coexists with something simple, the exponent of chaos is the mean over the trajectories
    that have not left it some time *after* the interval of the mean: those on their way out are left out as well.
    That is the sprinkler method of Kantz and Grassberger (1985) for the natural measure of a chaotic saddle; n_steps is
    at least as long as the way out takes.

    Args:
        step: as in `lyapunov_exponents`.
        u: states, the `states` of a spectrum.
        n_steps: steps to go on for, at least `apart`.
        apart: steps between the states that are compared: long enough for chaos to change them by much more than the
            tolerance. A cycle whose period divides it looks at rest.
        tolerance: relative change of the amplitudes, between that of rest (rounding) and that of chaos (order one).

    Raises:
        ValueError: if the states that are compared do not lie within n_steps.

    >>> u = torch.tensor([[[1.0, 0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 1.0]]])
    >>> still_changing(lambda u: u.roll(1, -1), u, n_steps=3, apart=1).tolist()  # they travel
    [False, False]
    >>> still_changing(lambda u: 1.1 * u, u, n_steps=3, apart=1).tolist()
    [True, True]
    """
    if not 1 <= apart <= n_steps:
        raise ValueError(f"expected 1 <= apart <= n_steps = {n_steps}, got {apart}; compare states that are computed")
    with torch.no_grad():
        for _ in range(n_steps - apart):
            u = step(u)
        before = _amplitudes(u)
        for _ in range(apart):
            u = step(u)
    after = _amplitudes(u)
    return (after - before).norm(dim=1) > tolerance * after.norm(dim=1)


def _amplitudes(u: Tensor) -> Tensor:
    """Moduli of the Fourier modes, flattened; of a system without space, its channels as they are."""
    return u.flatten(1) if u.ndim == 2 else torch.fft.fftn(u, dim=tuple(range(2, u.ndim))).abs().flatten(1)


def _interval(
    step: Callable[[Tensor], Tensor], u: Tensor, directions: Tensor, copies: Copies
) -> tuple[Tensor, Tensor, Tensor]:
    """States and directions after an interval, and by how much each direction has grown."""
    batch, dimension, n = directions.shape
    distance = copies.size * u.flatten(1).square().mean(dim=1).sqrt().reshape(batch, 1, 1) * sqrt(dimension)
    perturbed = u.flatten(1).unsqueeze(-1) + distance * directions
    together = torch.cat((u.flatten(1).unsqueeze(-1), perturbed), dim=-1).movedim(-1, 1).reshape(-1, *u.shape[1:])
    for _ in range(copies.every):
        together = step(together)
    states = together.reshape(batch, n + 1, dimension)
    differences = (states[:, 1:] - states[:, :1]).movedim(1, -1) / distance
    q, r = torch.linalg.qr(differences)
    return states[:, 0].reshape(u.shape), q, torch.diagonal(r, dim1=-2, dim2=-1).abs()
