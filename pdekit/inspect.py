"""Describe a file or folder of data: ``python -m pdekit.inspect PATH``."""

from __future__ import annotations

import sys

from pdekit.cli.command_line import HELP, take
from pdekit.cli.mapping import take_mapping, written
from pdekit.cli.sentences import sentences

USAGE = """Describe a file or folder of data: layout, fields, units, grid, times, splits, ranges, equation, faults, and
the command line that trains on it.

    python -m pdekit.inspect PATH [trust=PACKAGE]
    python -m pdekit.inspect FILE fields.u=/KEY axes=stxy dt=0.1 extent=[1,2] layout=periodic

PATH is a published file or folder (The Well, PDEBench, PDEArena, Poseidon, APEBench, WDNO, Text2PDE, MeshGraphNets,
TSM, neuraloperator, FNO papers, NumPy, NetCDF, Zarr, VTK), or a folder with data/train, data/valid and data/test.
trust=PACKAGE allows a format or an equation of that package of yours.
The second form reads any HDF5 file: it writes these keys to FILE.mapping.yaml, which then takes the place of FILE
(coeffs.NAME, forcing.NAME, params.NAME, time, x, y, z, origin and boundary are stated in the same way).
Values of at most 32 trajectories of each split are read."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if HELP & set(arguments):
        print(USAGE)
        return
    trust = take(arguments, "trust")
    with sentences():
        mapping = take_mapping(arguments)
        if len(arguments) != 1:
            sys.exit(f"error: expected one PATH, got {arguments}; see python -m pdekit.inspect --help")
        _inspect(written(arguments[0], mapping) if mapping else arguments[0], trust)


def _inspect(path: str, trust: list[str]) -> None:
    from pdekit.data.inspection import inspect_path

    print(inspect_path(path, trust))


if __name__ == "__main__":
    main()
