"""The console command ``pdekit``: ``pdekit train model=fno data=ks``, the same as ``python -m pdekit.train ...``."""

from __future__ import annotations

import importlib
import sys

from pdekit.cli.command_line import HELP, did_you_mean

COMMANDS = {
    "train": "train a surrogate, evaluate it next to baselines and write a report",
    "generate": "generate a dataset",
    "evaluate": "evaluate a trained run over any horizon, on other data or grids",
    "check": "check a trained run as an operator: symmetries, conservation, grids, locality",
    "infer": "infer coefficients and solutions from sparse observations",
    "benchmark": "train and evaluate models x problems x seeds, and write one page",
    "compare": "compare evaluated runs in one table and report",
    "sample": "generate trajectories from a prompt with a trained model",
    "studio": "open a local page on a trained run: prompts, forecasts, errors, spectra",
    "inspect": "describe a file or folder of data, and the command line that trains on it",
    "convert": "write published files to pdekit's own store",
}
"""Sub-commands, each the module ``pdekit.<name>`` with a function ``main(arguments)``."""

USAGE = """\
Neural surrogates of partial differential equations, compared with numerical solvers.

  pdekit COMMAND [key=value ...]       pdekit COMMAND --help lists the settings

commands:
{commands}
"""


def main() -> None:
    """Run the sub-command that the first argument names."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in HELP:
        width = max(map(len, COMMANDS))
        print(USAGE.format(commands="\n".join(f"  {name:<{width}}  {line}" for name, line in COMMANDS.items())))
        return
    if arguments[0] not in COMMANDS:
        sys.exit(f"error: expected a command, found {arguments[0]!r}; {did_you_mean(arguments[0], list(COMMANDS))}")
    importlib.import_module(f"pdekit.{arguments[0]}").main(arguments[1:])
