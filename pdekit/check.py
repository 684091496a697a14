"""Check a trained run as an operator, row by row: ``python -m pdekit.check run=RUN rows=[symmetry.*,rest.*]``.

``python -m pdekit.check forecast=FILE reference=FILE`` asks forecasts made elsewhere what arrays can answer.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pdekit.cli.command_line import HELP, callable_module, key_and_text, take
from pdekit.cli.scored_files import asks_for_files, options_of, take_problem
from pdekit.cli.sentences import sentences

if TYPE_CHECKING:
    from pdekit.data.module import DataModule
    from pdekit.runs import Run
    from pdekit.workflows.check_run import Check

USAGE = """\
Ask a trained run for the properties of its equation: does it move as the reference, commute with the symmetries,
keep what is conserved, work on other grids and from other states? Each row is PASS, FAIL or CANNOT SAY.

  python -m pdekit.check run=RUN [key=value ...]
  python -m pdekit.check forecast=FILE reference=FILE [problem=NAME] [key=value ...]

settings:
  against=solver            the reference solver says what cannot be done better, and which symmetries the equation
                            has; "data": the stored frames only
  rows=[symmetry.*]         names or patterns of rows; all if not given
  n_states=8                states that a check starts from, of the test split
  horizon=10                frames of the rollout
  long=50                   frames of the long rollout
  members=4                 members of a stochastic method, over which its forecasts are averaged
  limit=0.2                 largest share of the damage that passes
  junit=FILE                JUnit XML for continuous integration
  folder=PATH               of check.json; the run's folder if not given
  seed=0 device=cpu data_dir=PATH trust=PACKAGE

Forecasts in files are described as for python -m pdekit.evaluate forecast=FILE: given, problem, pde.NAME, train, dt,
extent, layout, boundary, fields, mask, coeffs.NAME, params.NAME. Rows that need a model are CANNOT SAY. members, long,
seed and device are those of models; check.json is written with folder=PATH.

The exit status is 0 if rows pass and none fails, 1 if one fails, 2 for an error, and 3 if every row is CANNOT SAY.
The report of an evaluated run shows the check, too.
"""

NOTHING = (
    "expected run=RUN, the folder of a trained run, or forecast= and reference= with problem= if the equation is "
    "known; give one of the two"
)
PLACES = ("folder", "junit", "data_dir", "device")
FAILED, ERROR, UNDECIDED = 1, 2, 3
"""Exit statuses."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Args:
        arguments: as typed; those of the process if None.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or HELP & set(arguments):
        print(USAGE)
        return
    with sentences(ERROR):
        trust, rows = take(arguments, "trust"), take(arguments, "rows")
        found = check_surrogate(trust=trust, rows=rows or None, **typed_options(arguments))
        print(found.table)
        if found.folder is not None:
            print(f"\nwritten: {found.folder / 'check.json'}")
        if not found.decided:
            print(found.undecided, file=sys.stderr)
            sys.exit(UNDECIDED)
        if not found.passed:
            sys.exit(FAILED)


def typed_options(arguments: Sequence[str]) -> dict[str, Any]:
    """Return arguments ``key=value`` as options of `check_surrogate`.

    Raises:
        ValueError: on an argument of another form, or without a run and forecasts.
    """
    if asks_for_files(arguments):
        options = options_of(arguments, "check")
        _checks()
        return options | {"problem": take_problem(options)}
    values: dict[str, Any] = dict(key_and_text(argument, "check") for argument in arguments)
    if "run" not in values:
        raise ValueError(NOTHING)
    return values


def check_surrogate(
    run: str | Any | Run | None = None,
    data: DataModule | None = None,
    trust: Sequence[str] = (),
    *,
    forecast: Any = None,
    reference: Any = None,
    problem: Any = None,
    **settings: Any,
) -> Check:
    """Check a run in Python, ``pdekit.check(run, rows=["symmetry.*"]).table``, or forecasts made elsewhere.

    Args:
        run: the run, or its folder.
        data: a data module; None for the run's own data.
        trust: packages in addition to pdekit that the run may name.
        forecast, reference, problem: forecasts, their reference and the equation instead of a run; see `pdekit.score`.
        settings: those of `pdekit.workflows.check_run.CheckSettings`, and ``folder``, ``junit``, ``data_dir`` and
            ``device``; for forecasts those of `pdekit.workflows.check_arrays.check_arrays`.

    Raises:
        FileNotFoundError: if there is no such run or file.
        ValueError: on settings that do not exist, and what `check_stored_run` and `check_arrays` refuse.
    """
    checks = _checks()
    if forecast is not None or reference is not None:
        if run is not None or data is not None or forecast is None or reference is None:
            raise ValueError(NOTHING)
        from pdekit.simulate import named_problem
        from pdekit.workflows.check_arrays import check_arrays

        known, recipe = named_problem(problem)
        return check_arrays(forecast, reference, known, recipe, settings, trust)
    if run is None or problem is not None:
        raise ValueError(NOTHING)
    places = {name: settings.pop(name, None) for name in PLACES}
    places = {name: place for name, place in places.items() if place is not None}
    return checks.check_stored_run(run, checks.check_settings(settings), places, data, trust)


def _checks() -> ModuleType:
    """Return the module that checks; heavy, so that it is imported when it is used."""
    from pdekit import machine

    machine.prepare()
    from pdekit.workflows import check_run

    return check_run


callable_module(__name__, check_surrogate)

if __name__ == "__main__":
    main()
