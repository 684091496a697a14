"""Generate a dataset: ``python -m pdekit.generate data=kolmogorov``."""

from __future__ import annotations

import sys
from pathlib import Path

from pdekit.cli.command_line import CONFIGS, choices, did_you_mean, listing, open_options, run, stoppable, take
from pdekit.cli.sweep import Sweep
from pdekit.machine import prepare

HELP = """Generate a dataset, or complete one that was interrupted (the same command goes on where it was).

    python -m pdekit.generate data=NAME [workers=2] [device=cuda] [data_dir=PATH] [data.KEY=VALUE ...]

Files go to $PDEKIT_DATA, else to datasets/ under the working directory, in a folder named by the hash of the recipe:
a changed recipe is another folder. trust=PACKAGE allows a recipe to name classes of that package of yours;
--config-dir=FOLDER adds recipes of yours in FOLDER/data/. --cfg job shows the recipe.

Recipes, each with the CPU time of one core that generates it:
{recipes}"""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if {"-h", "--help"} & set(arguments):
        print(HELP.format(recipes=listing("data")))
        return
    trust = take(arguments, "trust")
    known = choices("data")
    named = [argument.partition("=")[2] for argument in arguments if argument.startswith("data=")]
    own = any(argument.startswith(("--config-dir", "-cd", "hydra.searchpath=")) for argument in arguments)
    if named and named[-1] not in known and not own:
        sys.exit(f"error: expected data=NAME of a recipe, got {named[-1]!r}; {did_you_mean(named[-1], list(known))}")
    stoppable(lambda: _command(arguments, trust))


def _command(arguments: list[str], trust: list[str]) -> None:
    prepare()
    sweep = Sweep()
    try:
        run(lambda: _run_hydra(arguments, trust, sweep))
    finally:
        sweep.end()


def _run_hydra(arguments: list[str], trust: list[str], sweep: Sweep) -> None:
    import hydra

    @hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="generate")
    def job(config) -> None:
        from omegaconf import OmegaConf

        from pdekit.recipes.generation import generate
        from pdekit.recipes.instance import instance_from
        from pdekit.training.devices import check_device

        plain = OmegaConf.to_container(config, resolve=True)

        def work() -> Path:
            check_device(plain["device"])
            recipe = instance_from(plain["data"], plain["instance"], trust)
            base = Path(plain["data_dir"]) if plain["data_dir"] else None
            return generate(recipe, base, plain["workers"], plain["device"], progress=sys.stdout.isatty())

        sweep.do(work)

    before, sys.argv = sys.argv, ["pdekit.generate", *open_options(arguments)]
    try:
        job()
    finally:
        sys.argv = before


if __name__ == "__main__":
    main()
