"""What must hold before a model is evaluated on data: the same problem, and enough frames."""

from __future__ import annotations

from pdekit.fields import Problem


def check_problem(name: str, found: Problem, expected: Problem) -> None:
    """Whether a model's problem is that of the data.

    Raises:
        ValueError: naming the first part that differs.
    """
    for part in ("fields", "coeffs", "forcing", "params", "dt", "grid"):
        ours, theirs = getattr(found, part), getattr(expected, part)
        if ours != theirs:
            raise ValueError(
                f"expected data with the {part} that {name!r} was made for, {ours}, found {theirs}; "
                "evaluate it on data of its own problem, or train it on these"
            )


def check_horizon(horizon: int | None, history: int, start: int, problem: Problem) -> int:
    """The number of frames to forecast, all that there are if None.

    Raises:
        ValueError: if the data have fewer.
    """
    available = problem.n_frames - history - start
    if horizon is None:
        horizon = available
    if not 1 <= horizon <= available:
        raise ValueError(
            f"expected a horizon of 1 to {available} frames (of {problem.n_frames} stored, {history} are given, from "
            f"frame {start} on), got {horizon}; shorten it, or generate longer test trajectories"
        )
    return horizon
