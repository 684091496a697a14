"""Infer coefficients and solutions from sparse observations: ``python -m pdekit.infer run=RUN observe=solution``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pdekit.cli.command_line import HELP, callable_module, did_you_mean, key_and_text, take
from pdekit.cli.sentences import sentences

if TYPE_CHECKING:
    from pdekit.data.module import DataModule
    from pdekit.runs import Run
    from pdekit.workflows.inference import Inferred

USAGE = """\
Sample coefficients and solutions given sparse observations, with a run of model=diffusion_pde.

  python -m pdekit.infer run=RUN [key=value ...]

settings:
  observe=solution          solution, coefficients, all, or names of channels joined by "+"
  share=0.03                share of the points that are observed, chosen at random
  noise=0.01                error of the observations, as a share of each channel's deviation
  method=mmps               mmps, pigdm, dps, dds, diffpir, flowchef, amortised, kriging; several joined by "+"
  members=16                posterior samples
  n_samples=4               test samples that are inferred
  equation=0                weight of the equation's residual: 0 for none, or how many times the residual of the
                            training data a sample may have (steady problems)
  levels=0                  levels of the sampler; 0 for those of the model
  file=OBSERVATIONS.csv     observations of your own instead of test samples: columns x, y, ..., and channels
  folder=PATH               of the results; RUN/inference, or RUN/inference-2 and so on, if not given
  seed=0 data_dir=PATH trust=PACKAGE

The folder holds posterior_<method>.nc and .png, scores.nc, table.md and summary.json.
"""

TEXTS = ("run", "folder", "data_dir", "file", "observe", "method")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Args:
        arguments: as typed; those of the process if None.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or HELP & set(arguments):
        print(USAGE)
        return
    with sentences():
        trust = take(arguments, "trust")
        values = typed_values(arguments)
        run, folder, data_dir = (values.pop(name, None) for name in ("run", "folder", "data_dir"))
        if run is None:
            raise ValueError("expected run=RUN, the folder of a trained run, found none; give it")
        found = _inference().run_inference(run, settings_of(values), folder, data_dir=data_dir, trust=trust)
        print(found.table or "no truth to compare with: the observations come from a file")
        print(f"results: {found.folder}")


def infer(
    run: str | Any | Run,
    data: DataModule | None = None,
    folder: str | None = None,
    trust: Sequence[str] = (),
    **settings: Any,
) -> Inferred:
    """Infer in Python: ``pdekit.infer(run, observe="solution", share=0.03).posteriors["mmps"]``.

    Args:
        run: of model=diffusion_pde, or its folder.
        data: test and training samples; None for the run's own.
        folder: of the results; ``RUN/inference``, or ``RUN/inference-2`` and so on, if None.
        trust: packages in addition to pdekit that the run may name.
        settings: those of `pdekit.inference.settings.Inference`.

    Raises:
        FileNotFoundError: if there is no such run or file.
        ValueError: on settings that do not exist, and what `run_inference` refuses.
    """
    return _inference().run_inference(run, settings_of(settings), folder, data, trust=trust)


def typed_values(arguments: Sequence[str]) -> dict[str, Any]:
    """Return ``key=value`` arguments by key; numbers are read as such, but not in names and paths (`TEXTS`).

    Raises:
        ValueError: on an argument that is no such pair.

    >>> typed_values(["run=2026", "share=0.1", "members=8"])
    {'run': '2026', 'share': 0.1, 'members': 8}
    """
    values: dict[str, Any] = {}
    for argument in arguments:
        key, text = key_and_text(argument, "infer")
        values[key] = text
        for kind in () if key in TEXTS else (int, float):
            try:
                values[key] = kind(text)
                break
            except ValueError:
                continue
    return values


def settings_of(values: dict[str, Any]) -> Any:
    """Return the settings with these values.

    Raises:
        ValueError: on a name that does not exist, or a value of another kind.
    """
    import dataclasses

    from pdekit.inference.settings import Inference
    from pdekit.typed_values import settings_from

    names = [item.name for item in dataclasses.fields(Inference)]
    for name in values:
        if name not in names:
            known = [*names, "run", "folder", "data_dir", "trust"]
            raise ValueError(f"expected a setting, got {name}=; {did_you_mean(name, known)}")
    return settings_from(Inference, values, "infer", "")


def _inference() -> ModuleType:
    """Return the module that infers; heavy, so that it is imported when it is used."""
    from pdekit import machine

    machine.prepare()
    from pdekit.workflows import inference

    return inference


callable_module(__name__, infer)

if __name__ == "__main__":
    main()
