"""Convert published files to pdekit's store: ``python -m pdekit.convert PATH OUT``."""

from __future__ import annotations

import sys
from pathlib import Path

from pdekit.cli.command_line import HELP, take
from pdekit.cli.mapping import take_mapping, written
from pdekit.cli.sentences import sentences

USAGE = """Convert a published file or folder to pdekit's store. The same command continues an interrupted conversion.

    python -m pdekit.convert PATH OUT [name=NAME] [trust=PACKAGE]

The splits train, valid and test are written to OUT/data/. Train on them with path=OUT name=NAME."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if HELP & set(arguments):
        print(USAGE)
        return
    trust, names = take(arguments, "trust"), take(arguments, "name")
    with sentences():
        mapping = take_mapping(arguments)
        if len(arguments) != 2:
            sys.exit(f"error: expected PATH and OUT, got {arguments}; see python -m pdekit.convert --help")
        path, out = arguments
        path = written(path, mapping) if mapping else path
        _convert(path, out, (names or [Path(path).stem])[-1], trust)


def _convert(path: str, out: str, name: str, trust: list[str]) -> None:
    from rich.progress import Progress

    from pdekit.data.conversion import convert

    with Progress(disable=not sys.stdout.isatty()) as bars:
        tasks: dict[str, int] = {}

        def report(split: str, done: int, total: int) -> None:
            if split not in tasks:
                tasks[split] = bars.add_task(split, total=total)
            bars.update(tasks[split], completed=done)

        folder = convert(path, out, name, trust, report)
    print(f"converted {path} to {folder}; train on it with")
    print(f"  python -m pdekit.train path={folder} name={name} model=fno")


if __name__ == "__main__":
    main()
