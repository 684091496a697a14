"""Generate a dataset: ``python -m pdekit.generate data=kolmogorov``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pdekit.cli.command_line import HELP, listing, take
from pdekit.cli.compose import composed, jobs, read_arguments, shown
from pdekit.cli.sentences import sentences
from pdekit.cli.sweep import Sweep
from pdekit.machine import prepare

USAGE = """Generate a dataset, or complete one that was interrupted (the same command goes on where it was).

    python -m pdekit.generate data=NAME [workers=2] [device=cuda] [data_dir=PATH] [data.KEY=VALUE ...]

Files go to $PDEKIT_DATA, else to datasets/ under the working directory, in a folder named by the hash of the recipe:
a changed recipe is another folder. Start the command several times, also on machines that share the folder, and they
share the work. trust=PACKAGE allows a recipe to name classes of that package of yours;
--config-dir=FOLDER adds recipes of yours in FOLDER/data/. --cfg job shows the recipe.

Recipes, each with the CPU time of one core that generates it, and that of a full evaluation (–: not measured):
{recipes}"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Generate once, or for each job of a sweep.

    Args:
        arguments: as typed; those of the process if None.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    with sentences():
        if HELP & set(arguments):
            print(USAGE.format(recipes=listing("data")))
            return
        trust, typed = take(arguments, "trust"), read_arguments(arguments)
        sweep = Sweep(typed.several)
        for overrides in jobs(typed):
            with sweep.job(overrides) as job:
                config, _ = composed("generate", overrides)
                if typed.show:
                    print(shown(config))
                    continue
                job.result = str(generate_from(config, trust))
        if sweep.end():
            sys.exit(1)


def generate_from(config: Mapping[str, Any], trust: Sequence[str] = ()) -> Path:
    """Generate the dataset of a configuration; return its folder.

    Raises:
        ValueError: if the device does not exist, or the recipe is wrong.
    """
    prepare()
    from pdekit.given import check_device
    from pdekit.recipes.generation import generate
    from pdekit.recipes.instance import instance_from

    check_device(config["device"])
    recipe = instance_from(config["data"], config["instance"], trust)
    base = Path(config["data_dir"]) if config["data_dir"] else None
    return generate(recipe, base, config["workers"], config["device"], progress=sys.stdout.isatty())


if __name__ == "__main__":
    main()
