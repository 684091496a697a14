"""Check the request of an evaluation before data are generated or a model is trained for it."""

from __future__ import annotations

from pdekit.evaluation.checks import check_horizon, check_kept
from pdekit.evaluation.references.choose import can_go_on
from pdekit.evaluation.settings import Evaluation
from pdekit.fields import Problem
from pdekit.models.base import Surrogate
from pdekit.recipes.base import BaseRecipe
from pdekit.typed_values import MAX_FRAMES


def check_request(
    settings: Evaluation, history: int, problem: Problem, n_trajectories: int, recipe: BaseRecipe | None = None
) -> None:
    """Check that test data have what the settings ask for, or that their solver can make it.

    Args:
        settings: settings of the evaluation.
        history: frames that the model is given; baselines in time are given one at least.
        problem: problem of the test split.
        n_trajectories: number of trajectories of the test split.
        recipe: recipe of the data; None for data from files.

    Raises:
        ValueError: on starts or a horizon beyond the data, a horizon that no memory holds, samples to keep that do not
            exist, or a coupling to cut where nothing is coupled.
    """
    history, start = max(history, 0 if problem.steady else 1), max(settings.starts)
    continued = settings.horizon if can_go_on(recipe) else None
    if continued is None:
        last = problem.n_frames - history - 1
        if start > last:
            more = ", or set horizon=FRAMES, for which the solver goes on" if can_go_on(recipe) else ""
            raise ValueError(
                f"expected starts from 0 to {last} (of {problem.n_frames} stored frames, {history} are given and one "
                f"is forecast), got starts={list(settings.starts)}; start earlier{more}"
            )
        check_horizon(settings.horizon, history, start, problem)
    elif history + start + continued > MAX_FRAMES:
        raise ValueError(
            f"expected at most {MAX_FRAMES:,} frames of a trajectory, got horizon={continued} from frame "
            f"{start} on; shorten the horizon"
        )
    n = n_trajectories if settings.n_trajectories is None else min(settings.n_trajectories, n_trajectories)
    check_kept(settings.keep, n * len(settings.starts))
    if settings.coupling:
        uncoupled_recipe(recipe)
        if settings.resolution is not None or settings.horizon is not None:
            raise ValueError(
                "expected the data's own grid and frames for coupling=true, got a resolution or a horizon; leave out "
                "one of them"
            )


def uncoupled_recipe(recipe: BaseRecipe | None) -> BaseRecipe:
    """Return the recipe of the same test samples with the coupling of their case cut.

    Raises:
        ValueError: if nothing is coupled, or no case made the data.
    """
    found = None if recipe is None else recipe.uncoupled()
    if found is None:
        name = "these data" if recipe is None else recipe.name
        raise ValueError(
            f"expected data of a case whose fields are coupled for coupling=true, got {name}; leave it out, or choose "
            "one whose recipe has case.coupling"
        )
    return found


def check_reach(model: Surrogate, settings: Evaluation, problem: Problem) -> None:
    """Check that a model whose forecasts end with the stored trajectories forecasts as far as an evaluation asks.

    Raises:
        ValueError: if the horizon, or the test split without one, is longer.
    """
    if model.n_reached is None:
        return
    history = max(model.window[0], 1)
    asked = settings.horizon or problem.n_frames - history - max(settings.starts)
    reached = model.n_reached - history - max(settings.starts)
    if asked > reached:
        raise ValueError(
            f"expected a horizon of at most {reached} frames, because a forecast of {type(model).__name__} ends with "
            f"the first {model.n_reached} frames of a trajectory, got {asked}; "
            + (f"set horizon={reached}, " if reached > 0 else "set evaluate=false, or starts=[0], ")
            + "or model.condition=[frame] for longer forecasts"
        )
