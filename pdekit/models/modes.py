"""Number of modes of a spectral net, chosen from the grid and the spectrum of the training data.

The highest wavenumber k of an axis is the smallest K that holds the data, within what the grid supports:

    k = max(1, min(K, (n - 1) // 3)),    sum over |k_axis| > K of |u_hat|^2  <=  SHARE sum over k != 0 of |u_hat|^2

for each field and for its change from frame to frame, about their means over space. A product of two fields with
|k| <= (n - 1) / 3 does not alias onto them (the 2/3 rule of Orszag, 1971); a higher mode learns from aliased data.
A layer has one matrix for each mode, prod_axes (2 k + 1) in all, half of them stored. Where these are more than
N_MODES, all k are lowered by one factor. This concerns two and three axes: one axis has few modes.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import ceil, prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Grid, Problem, Trajectory
from pdekit.nets.layout import intervals
from pdekit.nets.series import resolved_modes
from pdekit.plain import is_whole, mappings_in

AUTO = "auto"
SHARE = 1e-5
"""Share of the variance that may lie beyond the highest mode: an error of 0.3 % of the standard deviation."""
N_MODES = 2048
"""Most modes of a layer, of both signs, that the rule chooses."""
N_BATCHES = 64
"""Batches of training trajectories whose spectrum is taken."""
WITHOUT_DATA = 12
"""Highest mode where only the grid is known."""


def choose_modes(
    problem: Problem, batches: Iterable[Trajectory] | None = None, padding: float = 0.0
) -> tuple[int, ...]:
    """Return the highest wavenumber of each axis for a spectral net (the formula is that of this module).

    Args:
        problem: problem on a uniform grid.
        batches: training trajectories, whole ones, e.g. ``data.calibration_batches()``; the first `N_BATCHES` are read.
            None if only the grid is known: then ``K = WITHOUT_DATA``.
        padding: share by which the period of a bounded axis exceeds its length, as of `pdekit.nets.fno.FNO`.

    On a bounded axis the spectrum is that of the even extension, with twice the length as period. Its wavelengths are
    counted in periods of the net. A field counts as its mean where the mask says that it does not exist.

    Limits: less than SHARE of the variance is not seen, although a chaotic flow amplifies it. Data with jumps have no
    highest mode; there the grid and `N_MODES` decide.

    >>> from pdekit.fields import Field
    >>> choose_modes(Problem(Grid((16,), (1.0,)), (Field("u"),)))
    (5,)
    """
    return supported(problem.box, None if batches is None else waves_held(problem, batches), padding)


def supported(grid: Grid, waves: Sequence[float] | None, padding: float) -> tuple[int, ...]:
    """Return the modes of each axis for a number of waves per length (None: `WITHOUT_DATA` modes), within the grid."""
    periods = [1.0 if layout == "periodic" else 1.0 + padding for layout in grid.layout]
    wanted = [WITHOUT_DATA] * grid.ndim
    if waves is not None:
        wanted = [ceil(w * period) for w, period in zip(waves, periods, strict=True)]
    lengths = [
        intervals(n, layout) * period for n, layout, period in zip(grid.shape, grid.layout, periods, strict=True)
    ]
    return within_budget([max(1, min(n, int((length - 1) // 3))) for n, length in zip(wanted, lengths, strict=True)])


def within_budget(modes: Sequence[int]) -> tuple[int, ...]:
    """Lower the highest modes by one factor until a layer has at most `N_MODES`.

    >>> within_budget([100]), within_budget([100, 100]), within_budget([40, 10])
    ((100,), (22, 22), (40, 10))
    """
    largest = max(modes)
    for highest in range(largest, 0, -1):
        lowered = tuple(max(1, n * highest // largest) for n in modes)
        if prod(2 * n + 1 for n in lowered) <= N_MODES:
            break
    return lowered


def waves_held(problem: Problem, batches: Iterable[Trajectory]) -> tuple[float, ...]:
    """Return the waves per length of each axis that hold all but `SHARE` of the variance of every field and change."""
    layouts = problem.grid.layout
    energies: list[Any] = [0.0] * problem.ndim
    variance: Any = 0.0
    for batch in itertools.islice(batches, N_BATCHES):
        signals = [_about_mean(u, batch.mask) for u in _fields_and_changes(batch)]
        variance = variance + torch.stack([_total(u) for u in signals])
        for axis, layout in enumerate(layouts):
            energies[axis] = energies[axis] + torch.stack([_energies(u, 3 + axis, layout) for u in signals])
    return tuple(
        highest(energy, variance) / (1 if layout == "periodic" else 2)
        for energy, layout in zip(energies, layouts, strict=True)
    )


def _fields_and_changes(batch: Trajectory) -> list[Tensor]:
    u = batch.u.double()
    return [u, u.diff(dim=1)] if u.shape[1] > 1 else [u]


def _about_mean(
    u: Float[Tensor, "batch time channel *space"], mask: Tensor | None
) -> Float[Tensor, "batch time channel *space"]:
    """The fields less their means over the points where they exist; zero at the others."""
    space = list(range(3, u.ndim))
    if mask is None:
        return u - u.mean(space, keepdim=True)
    inside = (mask[:, None] > 0).expand_as(u)
    u = torch.where(inside, u, 0.0)
    return torch.where(inside, u - u.sum(space, keepdim=True) / inside.sum(space, keepdim=True).clamp_min(1), 0.0)


def _total(u: Float[Tensor, "batch time channel *space"]) -> Float[Tensor, "channel"]:
    """Mean square over the points, summed over samples and times."""
    return u.square().flatten(3).mean(3).sum((0, 1))


def _energies(u: Float[Tensor, "batch time channel *space"], axis: int, layout: str) -> Float[Tensor, "channel mode"]:
    """Energy of the wavenumbers of one axis, which add up to `_total` (for nodes: with half the end values)."""
    u = u.movedim(axis, -1)
    if layout != "periodic":
        u = torch.cat((u, (u if layout == "cells" else u[..., 1:-1]).flip(-1)), -1)
    n = u.shape[-1]
    k = torch.arange(n // 2 + 1, device=u.device)
    pairs = torch.where((k == 0) | (2 * k == n), 1.0, 2.0).to(u)
    energy = torch.fft.rfft(u, norm="forward").abs().square() * pairs
    return energy.sum((0, 1)).flatten(1, -2).mean(1) if u.ndim > 4 else energy.sum((0, 1))


def highest(energy: Float[Tensor, "kind channel mode"], variance: Float[Tensor, "kind channel"]) -> int:
    """Return the smallest K beyond which lies at most `SHARE` of the variance of each field.

    >>> highest(torch.tensor([[[0.0, 0.9, 0.1, 1e-7]]]), torch.tensor([[1.0]]))
    2
    """
    from_each = energy.flip(-1).cumsum(-1).flip(-1)  # energy of this mode and all higher ones
    needed = (from_each > SHARE * variance[..., None]).any(0).any(0)
    return max(int(needed.sum()) - 1, 0)


def with_modes(
    config: Mapping[str, Any], problem: Problem, batches: Iterable[Trajectory] | None = None
) -> dict[str, Any]:
    """Return the configuration of a model with numbers in place of ``modes: auto``.

    Args:
        config: configuration of a method, plain values. An option ``modes`` of a net, at any depth, is the number of
            wavenumbers of each axis; ``padding`` next to it is that of bounded axes.
        problem: problem of the model.
        batches: training trajectories, see `choose_modes`; None if there are none.
    """
    if not uses_auto(config) or not problem.on_box:
        return dict(config)
    waves = None
    if batches is not None:
        waves = waves_held(problem, (batch for batch in batches if batch.u.shape[3:] == problem.grid.shape))

    def chosen(modes: Any, padding: float) -> Any:
        return list(supported(problem.box, waves, padding)) if modes == AUTO else modes

    return _changed(config, chosen)


def without_unresolved(config: Mapping[str, Any], problem: Problem) -> dict[str, Any]:
    """Return the configuration of a new model without modes that its training grid does not resolve.

    Where a number is lowered, a warning says so. (They would keep their random weights.)

    Args:
        config: as of `with_modes`.
        problem: problem of the training data.
    """
    grid = problem.grid
    if not grid.uniform:
        return dict(config)

    def lowered(modes: Any, padding: float) -> Any:
        if modes == AUTO:
            return modes
        each = [modes] * grid.ndim if is_whole(modes) else modes
        resolved = resolved_modes(grid.shape, grid.layout, padding)
        if len(each) != grid.ndim or all(n <= limit for n, limit in zip(each, resolved, strict=True)):
            return modes
        fewer = [max(1, min(n, limit)) for n, limit in zip(each, resolved, strict=True)]
        warnings.warn(
            f"expected at most {list(resolved)} modes, as many as the training grid {grid.shape} resolves, found "
            f"{modes}; {fewer} are used: set modes=auto or a smaller number",
            stacklevel=2,
        )
        return fewer

    return _changed(config, lowered)


def _changed(node: Any, change: Callable[[Any, float], Any]) -> Any:
    """Plain values with the option ``modes`` of each net replaced by change(modes, padding)."""
    if not isinstance(node, Mapping):
        return node
    found = {key: _changed(item, change) for key, item in node.items()}
    if "_target_" in found and "modes" in found:
        found["modes"] = change(found["modes"], found.get("padding", 0.0))
    return found


def uses_auto(node: Any) -> bool:
    """Return whether plain values leave the modes of a net to the data.

    >>> uses_auto({"_target_": "m.Method", "net": {"_target_": "m.Net", "modes": "auto"}})
    True
    """
    return any(part.get("modes") == AUTO for part in mappings_in(node))
