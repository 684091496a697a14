"""Self-convergence of a simulator: the same samples at two resolutions, ||u - finer|| / ||finer||."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Field, Grid, Points
from pdekit.simulators.base import SAME, Draw, Frame, Simulator, Tick, collected, silent
from pdekit.simulators.tail import energies, tail_share

ERROR, CORRELATION = 0.1, 0.8  # thresholds of the times of agreement
TINY = 1e-300
Frames = Float[Tensor, "sample time channel *space"]
Mask = Float[Tensor, "sample channel *space"] | None
Scores = Float[Tensor, "sample time"]


@torch.no_grad()
def self_convergence(
    simulator: Simulator,
    draws: Sequence[Draw],
    grid: Grid | Points,
    n_frames: int,
    device: str = "cpu",
    tick: Tick = silent,
) -> dict[str, Any]:
    """Differences between the resolutions that `Simulator.checks` compares, from the first frame on.

    Where there is a warm-up, all resolutions begin at the state after it; elsewhere at the same random functions.

    Returns:
        Plain values to store with the data: ``time`` (of the frames, in nominal dt); for each check the relative error
        and the correlation of each sample at each time (the worst field), and the times until which they agree:
        error < 0.1 and correlation > 0.8, for each sample, null where they agree to the end. ``error_by_field`` and
        ``deviation_by_field`` are the largest error over time of each field in the last check, the latter divided by
        the finer field's deviation from its mean (what counts for a temperature in kelvin). ``spectrum_tail``, of
        nonlinear equations on periodic boxes, is the share of energy at the smallest scales of the solver's grid.
    """
    problem, checks = simulator.problem(grid, n_frames), simulator.checks(grid)
    start = simulator.settled(draws, grid, device, tick)
    spectra: list[tuple[Tensor, Tensor]] = []
    degree = simulator.spectral_degree

    def watch(frame: Frame) -> None:
        if degree is not None:
            spectra.append(energies(frame.own, degree))

    made = {}
    for refinement in dict.fromkeys(one for pair in checks.values() for one in pair):
        marching = simulator.march(draws, grid, refinement, start, device, tick)
        made[refinement] = collected(marching, n_frames, watch if refinement == SAME and grid.ndim > 0 else None)
    time = torch.arange(n_frames, dtype=torch.float64) * (problem.dt or 0.0)
    finest = list(checks.values())[-1][1]
    found: dict[str, Any] = {
        "trajectories": len(draws),
        **simulator.resolution(grid),
        **{f"finer_{key.removeprefix('solver_')}": value for key, value in simulator.resolution(grid, finest).items()},
        "time": _rounded(time),
    }
    if spectra:
        tail, total = (torch.stack(part, 1).cpu() for part in zip(*spectra, strict=True))
        found["spectrum_tail"] = _rounded(tail_share(tail, total))
    for name, (coarse, fine) in checks.items():
        (one, first), (other, second) = made[coarse], made[fine]
        mask = None if first.existing is None else first.existing * second.existing
        error = relative_error(one, other, problem.fields, mask)
        correlation = lowest_correlation(one, other, problem.fields, mask)
        found[f"error_{name}"] = _rounded(error)
        found[f"correlation_{name}"] = _rounded(correlation)
        found[f"time_of_error_{name}"] = first_time(time, error >= ERROR)
        found[f"time_of_correlation_{name}"] = first_time(time, correlation <= CORRELATION)
    by_field = errors_by_field(one, other, problem.fields, mask)
    for key, which in (("error_by_field", 0), ("deviation_by_field", 1)):
        found[key] = {name: _rounded(both[which].amax(1)) for name, both in by_field.items()}
    return found


def check_work(simulator: Simulator, grid: Grid | Points, n_frames: int, n_samples: int) -> int:
    """Total units of work that `self_convergence` reports to its ``tick``."""
    warmup = simulator.work(1) - simulator.work(1, started=True)
    refinements = dict.fromkeys(one for pair in simulator.checks(grid).values() for one in pair)
    return n_samples * (warmup + sum(simulator.work(n_frames, one, started=True) for one in refinements))


def relative_error(u: Frames, reference: Frames, fields: Sequence[Field], mask: Mask = None) -> Scores:
    """||u - reference|| / ||reference|| of the worst field or group (vector, complex pair) at each time.

    One that passes through zero is measured against a thousandth of its largest norm.
    """
    worst = torch.zeros(u.shape[:2], dtype=torch.float64)
    for one, other, _ in _groups(u, reference, fields, mask):
        norm = torch.linalg.vector_norm(other, dim=-1)
        scale = _at_least_a_thousandth(norm)
        worst = torch.maximum(worst, torch.linalg.vector_norm(one - other, dim=-1) / scale)
    return worst


def errors_by_field(
    u: Frames, reference: Frames, fields: Sequence[Field], mask: Mask = None
) -> dict[str, tuple[Scores, Scores]]:
    """||u - reference|| of each field, divided by ||reference|| and by its deviation from its mean.

    A norm that passes through zero counts as a thousandth of its largest value over time, as in `relative_error`.
    A norm of zero gives an error of zero if there is no difference.
    """
    alone = [Field(item.name) for item in fields]
    found = {}
    for item, (one, other, inside) in zip(alone, _groups(u, reference, alone, mask), strict=True):
        error = torch.linalg.vector_norm(one - other, dim=-1)
        sizes = (torch.linalg.vector_norm(v, dim=-1) for v in (other, _deviation(other, inside)))
        relative, of_deviation = (error / _at_least_a_thousandth(size) for size in sizes)
        found[item.name] = relative, of_deviation
    return found


def lowest_correlation(u: Frames, reference: Frames, fields: Sequence[Field], mask: Mask = None) -> Scores:
    """Pearson's correlation over space of the worst field or group at each time.

    1 where the reference is uniform or zero, to 1e-10 of its largest norm over time.
    """
    worst = torch.ones(u.shape[:2], dtype=torch.float64)
    for one, other, inside in _groups(u, reference, fields, mask):
        a, b = _deviation(one, inside), _deviation(other, inside)
        norms = torch.linalg.vector_norm(a, dim=-1) * torch.linalg.vector_norm(b, dim=-1)
        varies = norms > 1e-20 * other.square().sum(-1).amax(1, keepdim=True)
        worst = torch.minimum(worst, torch.where(varies, (a * b).sum(-1) / norms.clamp_min(TINY), 1.0))
    return worst


def _at_least_a_thousandth(norm: Scores) -> Scores:
    """Norms "sample time", none smaller than a thousandth of the largest over time."""
    return torch.maximum(norm, 1e-3 * norm.amax(1, keepdim=True)).clamp_min(TINY)


def _groups(
    u: Frames, reference: Frames, fields: Sequence[Field], mask: Mask
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Each group of channels as "sample time value" in float64, zero outside the mask, and the mask likewise."""
    for name in dict.fromkeys(field.group for field in fields):
        which = [i for i, field in enumerate(fields) if field.group == name]
        a, b = (v[:, :, which].flatten(2).to(torch.float64) for v in (u, reference))
        inside = None if mask is None else (mask[:, which].flatten(1)[:, None] > 0).to(torch.float64)
        yield (a, b, None) if inside is None else (a * inside, b * inside, inside)


def _deviation(u: Tensor, inside: Tensor | None) -> Tensor:
    """u less its mean over space, zero outside the mask."""
    if inside is None:
        return u - u.mean(-1, keepdim=True)
    return inside * (u - u.sum(-1, keepdim=True) / inside.sum(-1, keepdim=True).clamp_min(1))


def first_time(time: Float[Tensor, "time"], crossed: Tensor) -> list[float | None]:
    """For each sample the first time at which something holds, None if never."""
    found: list[float | None] = []
    for row in crossed:
        where = row.nonzero()
        found.append(float(time[where[0, 0]]) if len(where) else None)
    return found


def _rounded(values: Tensor) -> list:
    """Four digits are enough to be read, and keep the file small."""
    if values.ndim > 1:
        return [_rounded(row) for row in values]
    return [float(f"{value:.4g}") for value in values.tolist()]
