"""Forecasts in files on the command line: ``python -m pdekit.evaluate forecast=FILE reference=FILE``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pdekit.cli.command_line import key_and_text
from pdekit.cli.mapping import value_of
from pdekit.plain import mapping_or_empty

OUT = "scored"
NESTED = ("forecast", "coeffs", "params", "pde", "sweep", "keep")
"""Options that may have names: ``forecast.fno=FILE``."""

TEXTS = ("forecast", "reference", "train", "out", "folder", "junit")
"""Options that are paths, and are not read as YAML."""

USAGE = """\
Score forecasts in files against a reference, next to baselines, and write scores.nc, forecasts.nc and report.html.

  python -m pdekit.evaluate forecast=FILE reference=FILE [out=scored] [key=value ...]
  python -m pdekit.evaluate forecast.fno=FILE forecast.unet=FILE reference=FILE

Files are of any layout that `python -m pdekit.inspect FILE` describes, and NumPy arrays "sample time channel *space"
(.npy, or .npz with one array for each field "sample time *space"). Forecasts may be ensembles: with a dimension member
in NetCDF, and a first axis of members in NumPy arrays.

  given=1                   frames of the reference that were known to the forecasts; those before them if not given
  problem=burgers           dataset of pdekit whose equation, and box and time step if the arrays have none, these are
  pde.viscosity=0.01        parameters of its equation
  train=FILE                trajectories for the mean and the baselines of steady problems
  dt=0.1 extent=[1,1]       what arrays do not state: time step, lengths of the box,
  layout=[nodes,nodes]      layout and boundary of each axis, names of the fields
  boundary=[[wall,wall],[wall,wall]] fields=[p,q]
  mask=FILE.npy coeffs.NAME=FILE.npy params.NAME=FILE.npy
  out=FOLDER trust=PACKAGE  and settings of an evaluation: horizon, measures, keep.n_samples, sweep.sizes, ...
"""


def asks_for_files(arguments: Sequence[str]) -> bool:
    """Return whether arguments name forecasts in files.

    >>> asks_for_files(["forecast.fno=a.nc", "reference=b.nc"]), asks_for_files(["run=runs/1"])
    (True, False)
    """
    names = [argument.partition("=")[0] for argument in arguments]
    return any(name in ("forecast", "reference") or name.startswith("forecast.") for name in names)


def options_of(arguments: Sequence[str], command: str = "evaluate") -> dict[str, Any]:
    """Return arguments ``key=value`` as options; values are read as YAML, and ``a.b=value`` gives {a: {b: value}}.

    Args:
        arguments: as typed.
        command: command that they belong to.

    Raises:
        ValueError: on an argument of another form, a name that is given twice, or a file that is missing.

    >>> options_of(["forecast.fno=a.nc", "reference=b.nc", "extent=[1,2.5]"])
    {'forecast': {'fno': 'a.nc'}, 'reference': 'b.nc', 'extent': [1, 2.5]}
    """
    options: dict[str, Any] = {}
    for argument in arguments:
        name, text = key_and_text(argument, command)
        key, dot, inner = name.partition(".")
        value = text if key in TEXTS else value_of(argument, text)
        place, last = (options.setdefault(key, {}), inner) if dot and key in NESTED else (options, name)
        if not isinstance(place, dict) or last in place:
            remedy = f"name each: {key}.NAME=..." if key in NESTED else "leave one out"
            raise ValueError(f"expected {key} once, got it again in {argument!r}; {remedy}")
        place[last] = value
    missing = [f"{name}=FILE" for name in ("forecast", "reference") if name not in options]
    if missing:
        raise ValueError(f"expected forecast=FILE and reference=FILE, found no {' and no '.join(missing)}; give both")
    return options


def score_files(arguments: Sequence[str], trust: Sequence[str]) -> str:
    """Score forecasts in files; return the closing lines.

    Raises:
        FileNotFoundError, ValueError: on wrong arguments, or files that do not fit each other.
    """
    from pdekit import machine

    options = options_of(arguments)
    machine.prepare()
    from pdekit.scoring import score

    problem, out = take_problem(options), options.pop("out", OUT)
    try:
        found = score(options.pop("forecast"), options.pop("reference"), problem, folder=out, trust=trust, **options)
    except TypeError as error:
        raise ValueError(str(error)) from None
    return str(found)


def take_problem(options: dict[str, Any]) -> Any:
    """Remove ``problem`` and ``pde`` from the options; return the name of the dataset, its problem, or None.

    Raises:
        ValueError: on parameters of an equation that is not named, or that it does not have.
    """
    from pdekit.simulate import recipe_named

    problem, values = options.pop("problem", None), options.pop("pde", {})
    if values and problem is None:
        raise ValueError(f"expected problem=NAME with pde.NAME=VALUE, found {values} alone; name the dataset")
    return _with_values(recipe_named(str(problem)).problem("test"), values) if values else problem


def _with_values(problem: Any, values: Any) -> Any:
    """A problem whose equation has other parameters.

    Raises:
        ValueError: on parameters that it does not have.
    """
    import dataclasses

    known = [item.name for item in dataclasses.fields(problem.pde)]
    if not mapping_or_empty(values) or set(values) - set(known):
        raise ValueError(f"expected pde.NAME=VALUE with names among {known}, got {values}; correct them")
    if any(isinstance(value, str) for value in values.values()):
        raise ValueError(f"expected numbers in pde.NAME=VALUE, got {values}; correct them")
    return dataclasses.replace(problem, pde=dataclasses.replace(problem.pde, **values))
