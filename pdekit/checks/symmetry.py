"""Symmetry of the operator: F(T u) against T F(u), over one step and over the rollout; superposition.

The damage is the distance |F(T u) - T F(u)|. Persistence commutes with shifts, turns and reflections, so that the scale
is the error of persistence: a defect of that size is as large as all that happens.

Shifts and quarter turns are symmetries of an equation without preferred places and directions. No equation declares
them; one has them if its reference solver has them. Reflections and Galilean boosts are declared by the equation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pdekit.calculus.projections import vectors
from pdekit.checks.base import CheckRow, missed_after
from pdekit.checks.ends import no_mirror, no_turn
from pdekit.checks.ground import Forecaster, Ground
from pdekit.fields import AXES, Grid, Problem, Trajectory
from pdekit.pdes.base import SemilinearPDE

BOOST = 0.5
"""Speed of the moving frame, in deviations of the first field that a boost changes."""
PAIR = (0.6, -0.8)
"""Weights of a superposition: the sum of two independent states has the size of one."""

Transformation = Callable[[Tensor, Tensor, Ground], Tensor]
"""(frames "batch time channel *space", their times after the last given one "batch time", ground) -> frames."""


@dataclass(frozen=True)
class Operation:
    """A candidate for a symmetry.

    Args:
        name: its name.
        words: what is done, for the question.
        apply: the transformation.
        excluded: reason why it cannot be asked of a problem; empty if it can.
        declared: True if the equation says that it has it.
    """

    name: str
    words: str
    apply: Transformation
    excluded: Callable[[Problem], str]
    declared: bool = False


def symmetry_rows(problem: Problem) -> tuple[CheckRow, ...]:
    """Return the rows of all operations, each over one step and over the rollout, and of superposition."""
    found = [_row(operation, steps) for operation in operations(problem.ndim) for steps in (1, None)]
    return (*found, *superposition_rows())


def operations(ndim: int) -> tuple[Operation, ...]:
    """Return all operations in so many dimensions."""
    found: list[Operation] = []
    for axis, letter in enumerate(AXES[:ndim]):
        found += [
            Operation(f"shift_{letter}", f"a shift by whole cells along {letter}", _shift(axis), _no_shift(axis)),
            Operation(f"part_{letter}", f"a shift by 0.4 of a cell along {letter}", _part(axis), _no_shift(axis)),
            Operation(f"mirror_{letter}", f"a reflection along {letter}", _mirror(axis), _no_mirror(axis), True),
            Operation(f"boost_{letter}", f"a frame that moves along {letter}", _boost(axis), _no_boost(axis), True),
        ]
    turn = Operation("turn", "a quarter turn in the plane of x and y", _turn, _no_turn)
    return (*found, turn) if ndim > 1 else tuple(found)


def _row(operation: Operation, steps: int | None) -> CheckRow:
    def excluded(surrogate: Forecaster, ground: Ground) -> str:
        return needs_free_start(ground) or operation.excluded(ground.problem)

    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        times = ground.times[:, : steps or ground.horizon]
        last = ground.given.t[:, -1:].double()
        start = operation.apply(ground.given.u, ground.given.t.double() - last, ground)
        moved = forecaster(ground.starting(start), times)
        still = operation.apply(ground.frames(forecaster, times.shape[1]), times.double() - last, ground)
        return ground.distance(moved[:, -1], still[:, -1])

    lead = "a step" if steps else "the rollout"
    return CheckRow(
        f"symmetry.{operation.name}{'' if steps else '.rollout'}",
        f"Does {lead} commute with {operation.words}?",
        value,
        missed_after(steps),
        excluded,
        solver_decides=not operation.declared,
    )


def needs_free_start(ground: Ground) -> str:
    """Return the reason why a problem cannot start from states that the check makes; empty if it can."""
    problem = ground.problem
    if problem.steady:
        return "a steady problem has no start"
    if problem.coeffs or problem.forcing:
        return "the problem has input fields, which belong to their own samples"
    if problem.has_mask:
        return "the fields exist in a part of the box only"
    if problem.instance is not None:
        return "the model solves one instance, and takes no other start"
    if not problem.grid.uniform:
        return "the problem lies on points"
    return "the reference solver solves a sample as a whole, from its own start" if ground.solved_whole else ""


def _no_shift(axis: int) -> Callable[[Problem], str]:
    def excluded(problem: Problem) -> str:
        return "" if problem.box.layout[axis] == "periodic" else f"the axis {AXES[axis]} has ends"

    return excluded


def _no_mirror(axis: int) -> Callable[[Problem], str]:
    def excluded(problem: Problem) -> str:
        if problem.pde is None:
            return "the equation is not known"
        if problem.pde.reflection(axis) is None:
            return "the equation declares no reflection along this axis"
        return no_mirror(problem, axis, problem.pde.reflection(axis))

    return excluded


def _no_boost(axis: int) -> Callable[[Problem], str]:
    def excluded(problem: Problem) -> str:
        if problem.pde is None or problem.pde.galilean(axis) is None:
            return "the equation declares no Galilean boost along this axis"
        return _no_shift(axis)(problem)

    return excluded


def _no_turn(problem: Problem) -> str:
    varies = {"length_x", "length_y"} & set(problem.params)
    return "the length of an axis varies" if varies else no_turn(problem)


def _shift(axis: int) -> Transformation:
    def apply(u: Tensor, t: Tensor, ground: Ground) -> Tensor:
        n = u.shape[3 + axis]
        return u.roll(max(1, round(0.3 * n)) | 1, 3 + axis)  # an odd number of cells: strides of nets are even

    return apply


def _part(axis: int) -> Transformation:
    def apply(u: Tensor, t: Tensor, ground: Ground) -> Tensor:
        return moved_by(u, torch.full(t.shape, 0.4, dtype=torch.float64), axis)

    return apply


def _mirror(axis: int) -> Transformation:
    def apply(u: Tensor, t: Tensor, ground: Ground) -> Tensor:
        signs = torch.tensor(ground.problem.pde.reflection(axis), dtype=u.dtype)
        return signs.reshape(-1, *[1] * ground.problem.ndim) * flipped(u, ground.problem.box, axis)

    return apply


def flipped(u: Tensor, box: Grid, axis: int) -> Tensor:
    """Return frames "batch time channel *space" along a reversed axis: about its first point if it is periodic."""
    reversed_axis = u.flip(3 + axis)
    return reversed_axis.roll(1, 3 + axis) if box.layout[axis] == "periodic" else reversed_axis


def _boost(axis: int) -> Transformation:
    """u(x, t) -> u(x - c t, t) + c g, the field in a frame that moves with velocity -c."""

    def apply(u: Tensor, t: Tensor, ground: Ground) -> Tensor:
        problem = ground.problem
        added = torch.tensor(problem.pde.galilean(axis), dtype=u.dtype)
        changed = int(added.abs().argmax())
        speed = BOOST * float(ground.unit[changed] / added[changed])
        _, grid, _ = problem.at(ground.given.params)
        length = torch.as_tensor(grid.extent[axis], dtype=torch.float64).reshape(-1, 1)
        cells = speed * t / length * u.shape[3 + axis]
        return moved_by(u, cells, axis) + (speed * added).reshape(-1, *[1] * problem.ndim)

    return apply


def moved_by(u: Tensor, cells: Tensor, axis: int) -> Tensor:
    """Return frames "batch time channel *space" moved by numbers of cells "batch time" along a periodic axis.

    u_hat(k) -> u_hat(k) exp(-2 pi i k m / n), exact for band-limited fields; the Nyquist mode of an even number of
    points keeps the real part that the grid can hold.
    """
    dim = 3 + axis
    n = u.shape[dim]
    k = torch.arange(n // 2 + 1, dtype=torch.float64)
    angle = -2 * torch.pi * k * cells[..., None] / n
    angle = angle.reshape(*cells.shape, 1, *[-1 if a == axis else 1 for a in range(u.ndim - 3)])
    return torch.fft.irfft(torch.fft.rfft(u, dim=dim) * torch.exp(1j * angle), n=n, dim=dim)


def _turn(u: Tensor, t: Tensor, ground: Ground) -> Tensor:
    """(x, y) -> (-y, x): u'(x, y) = R u(y, -x), with the components of vectors turned and scalars kept."""
    turned = flipped(u.transpose(3, 4), ground.problem.box, 0)
    channels = list(range(u.shape[2]))
    signs = torch.ones(u.shape[2], dtype=u.dtype)
    for components in vectors(ground.problem).values():
        x, y = components[:2]
        channels[x], channels[y], signs[x] = y, x, -1.0
    return signs.reshape(-1, *[1] * ground.problem.ndim) * turned[:, :, channels]


def superposition_rows() -> Sequence[CheckRow]:
    """Return the rows of linear equations: F(a u + b w) = a F(u) + b F(w) with the weights `PAIR`."""

    def excluded(surrogate: Forecaster, ground: Ground) -> str:
        pde = ground.problem.pde
        linear = isinstance(pde, SemilinearPDE) and pde.degree == 1
        if ground.problem.params:
            return "parameters vary from state to state"
        return needs_free_start(ground) or ("" if linear else "the equation is not linear")

    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        a, b = PAIR

        def other(batch: Trajectory) -> Tensor:
            return batch.u.roll(1, 0)

        one = ground.frames(forecaster, 1)[:, -1]
        both = ground.starting(a * ground.given.u + b * other(ground.given))
        together = forecaster(both, ground.times[:, :1])[:, -1]
        return ground.distance(together, a * one + b * one.roll(1, 0))

    question = "Is the step of a sum of two states the sum of their steps?"
    return (CheckRow("symmetry.superposition", question, value, missed_after(1), excluded),)
