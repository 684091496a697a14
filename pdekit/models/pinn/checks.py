"""Problems and options that a PINN refuses, and states that are not those of its instance."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor

from pdekit.fields import InitialState, Problem, Trajectory
from pdekit.models.pinn.form import Form
from pdekit.models.pinn.inverse import Inverse
from pdekit.models.pinn.plan import SecondOrder
from pdekit.pdes.base import PDE
from pdekit.pdes.initial_states import sampled

MISMATCH = 1e-3  # relative distance of a given state from the instance's


def check_one_instance(problem: Problem) -> None:
    """Refuse problems that are not one instance of an equation in time on a uniform grid.

    Raises:
        ValueError: on such a problem.
    """
    if problem.pde is None or not problem.grid.uniform or problem.steady:
        raise ValueError(
            "expected a problem in time with an equation on a uniform grid, found another; a PINN is not defined for it"
        )
    if problem.instance is None or problem.params:
        found = f"varying {', '.join(problem.params)}" if problem.params else "none"
        raise ValueError(
            f"expected one instance (an initial state as a function, fixed parameters), found {found}; "
            "choose one with instance=published, instance=smooth or instance=sample:0"
        )


def parts_of(problem: Problem) -> tuple[PDE, InitialState]:
    """Return the equation and the initial state of one instance; refuse other problems as `check_one_instance`."""
    check_one_instance(problem)
    parts: tuple[Any, Any] = problem.pde, problem.instance
    return parts


def check_options(form: Form, second: SecondOrder, inverse: Inverse | None, asked: bool) -> None:
    """Refuse options that exclude each other.

    Args:
        form, second, inverse: settings of a PINN.
        asked: whether boundary conditions are terms of the loss.

    Raises:
        ValueError: naming the options.
    """
    if inverse is not None and (form.initial == "carried" or form.n_windows > 1):
        raise ValueError(
            "expected initial=hard or soft and n_windows=1 with unknown parameters, got "
            f"{form.initial} (carried would need to know them) and {form.n_windows}; correct model.form"
        )
    others = form.initial == "soft" or inverse is not None or asked or form.derivatives != "taylor"
    if second.optimiser == "levenberg_marquardt" and others:
        raise ValueError(
            "expected derivatives=taylor, hard initial conditions, boundary conditions that hold by construction and "
            "no unknown parameters for levenberg_marquardt, found others; use self_scaled_broyden"
        )


def check_given(problem: Problem, last: float, given: Trajectory, t: Float[Tensor, "batch time"]) -> None:
    """Refuse states and times of another instance than the one that was fitted.

    Args:
        problem: problem of the instance.
        last: end of its span of time.
        given: history.
        t: times wanted.

    Raises:
        ValueError: if the state given at t = 0 is not that of the instance, or a time is beyond its span.
    """
    if bool((t > last * (1 + 1e-6)).any()) or bool((t < 0).any()):
        raise ValueError(
            f"expected times in [0, {last:g}], the span that was fitted, found {float(t.min()):g} to "
            f"{float(t.max()):g}; a PINN does not go beyond its span: train it on a longer one"
        )
    at_start = given.t[:, -1].abs() <= 1e-6 * last
    if bool(at_start.any()):
        start = sampled(parts_of(problem)[1], problem.box).to(given.u.device)
        error = (given.u[at_start, -1].double() - start).flatten(1).norm(dim=1) / start.norm()
        if bool((error > MISMATCH).any()):
            raise ValueError(
                f"expected the initial state of the instance that was fitted, found one that differs by "
                f"{float(error.max()):.1%}; a PINN solves one instance: train another one for this state"
            )
