"""Sample a generative model from a prompt: ``python -m pdekit.sample run=RUN prompt="..."``."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pdekit.cli.command_line import HELP, callable_module, did_you_mean, key_and_text
from pdekit.cli.sentences import sentences

if TYPE_CHECKING:
    import xarray as xr

    from pdekit.models.prompts import Prompt
    from pdekit.runs import Run

USAGE = """Generate a trajectory from a prompt with a trained model (model=text2pde).

    python -m pdekit.sample run=RUN prompt="two plumes rise, buoyancy 0.4" [key=value ...]

run=RUN          folder of the run
prompt=TEXT      for a model that is conditioned on text; its words are those of the training captions
params.NAME=V    for a model that is conditioned on parameters, one for each
start=FILE       for a model that is conditioned on the first frame: .npy, "channel *space", or .nc, whose last time is
                 taken, so that a sample can be continued
duration=T       time of the last frame; longer than in training with a first frame only
seed=0           of the noise; another one gives another trajectory
members=1        number of samples
guidance=W       weight of the condition, 1 or more; that of the run by default
calls=N          calls of the net for one sample; those of the run by default
out=FOLDER       where sample.nc, sample.gif and sample.png go; RUN/samples/SEED by default, or RUN/samples/SEED-2
                 and so on if that holds a sample of another prompt
anyway=false     true: sample although the prompt has words or values that the training did not have
trust=PACKAGE    a package of yours that the run names

A prompt outside the training is answered with the nearest known words and ranges. The grid is that of the training."""

SWITCH = {"true": True, "false": False}
READ: dict[str, Callable[[str], Any]] = {
    "seed": int,
    "members": int,
    "guidance": float,
    "calls": int,
    "duration": float,
    "anyway": lambda text: SWITCH[text.lower()],
}
TEXTS = ("run", "prompt", "out", "trust", "start")
NO_RESOLUTION = (
    "expected no resolution, found one: the layers of the autoencoder count points, so that samples have the grid of "
    "the training; train on data of the grid wanted, or interpolate the sample"
)
PARAM = "params."


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or HELP & set(arguments):
        print(USAGE)
        return
    with sentences():
        options = read_options(arguments)
        if "run" not in options:
            raise ValueError("expected run=RUN, the folder of a run, found none; give it")
        run, out, trust, start = (options.pop(key, None) for key in ("run", "out", "trust", "start"))
        from pdekit import machine

        machine.prepare()
        from pdekit.models.prompts import Prompt
        from pdekit.runs import load
        from pdekit.workflows.sample_run import start_frame, write_sample

        began = time.monotonic()
        loaded = load(run, [trust] if trust else [])
        if start is not None:
            options["start"] = start_frame(Path(start), loaded.problem)
        prompt = Prompt(options.pop("prompt", None), **options)
        with warnings.catch_warnings(record=True, category=UserWarning) as remarks:
            warnings.simplefilter("always", UserWarning)
            found, place = write_sample(loaded, prompt, Path(out) if out else None)
        seconds = time.monotonic() - began
        print(*(f"note: {remark.message}" for remark in remarks), sep="\n", end="\n" if remarks else "")
        print(f"{found.sizes['member']} samples of {found.sizes['time']} frames in {seconds:.1f} s, in {place}")


def read_options(arguments: Sequence[str]) -> dict[str, Any]:
    """Return the options of the command line.

    Raises:
        ValueError: on an unknown option, a value of another kind, or a resolution.

    >>> read_options(["run=r", "prompt=a plume = b", "seed=3", "params.nu=0.1"])
    {'run': 'r', 'prompt': 'a plume = b', 'seed': 3, 'params': {'nu': 0.1}}
    """
    found: dict[str, Any] = {}
    for argument in arguments:
        key, value = key_and_text(argument, "sample")
        if key == "resolution":
            raise ValueError(NO_RESOLUTION)
        if key not in (*TEXTS, *READ) and not key.startswith(PARAM):
            raise ValueError(f"expected an option, got {key}=; {did_you_mean(key, [*TEXTS, *READ])}")
        try:
            if key.startswith(PARAM):
                found.setdefault("params", {})[key.removeprefix(PARAM)] = float(value)
            else:
                found[key] = value if key in TEXTS else READ[key](value)
        except (ValueError, KeyError):
            raise ValueError(f"expected a number (or true, false for anyway), found {argument!r}; correct it") from None
    return found


def sample(
    run: str | Path | Run, prompt: str | Prompt, out: str | Path | None = None, trust: Sequence[str] = ()
) -> xr.Dataset:
    """Generate trajectories that follow a prompt in Python: ``pdekit.sample(RUN, "two plumes rise")``.

    Args:
        run: folder of a run, or a loaded run.
        prompt: a text, or a `pdekit.models.prompts.Prompt` with a seed, members, guidance, calls and parameters.
        out: folder for ``sample.nc``, ``sample.gif`` and ``sample.png``; None writes nothing.
        trust: packages in addition to pdekit that the run may name.

    Returns:
        See `pdekit.runs.Run.sample`.

    Raises:
        ValueError: see `pdekit.runs.Run.sample`; if the folder holds the samples of another prompt.
    """
    from pdekit import machine

    machine.prepare()
    from pdekit.models.prompts import Prompt
    from pdekit.runs import load
    from pdekit.workflows.sample_run import write_sample

    loaded = load(run, trust)
    wanted = prompt if isinstance(prompt, Prompt) else Prompt(prompt)
    return loaded.sample(wanted) if out is None else write_sample(loaded, wanted, Path(out))[0]


callable_module(__name__, sample)

if __name__ == "__main__":
    main()
