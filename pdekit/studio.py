"""Open a local page on a trained run: ``python -m pdekit.studio run=RUN``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pdekit.cli.command_line import HELP, did_you_mean, key_and_text, take
from pdekit.cli.sentences import sentences

if TYPE_CHECKING:
    from pdekit.runs import Run
    from pdekit.serving.server import StudioServer

USAGE = """Open a local page on a trained run.

    python -m pdekit.studio run=RUN [key=value ...]

run=RUN          folder of the run
port=8000        of this machine; 0 takes a free one
data_dir=PATH    where datasets lie; that of the run by default
trust=PACKAGE    a package of yours that the run names

The page shows forecasts from the states of the test split next to the stored solution, with errors, spectra and
residuals. A run of model=text2pde also answers prompts. The server listens on this machine only (127.0.0.1) and needs
no internet. Ctrl-C ends it."""

KEYS = ("run", "port", "data_dir")
PORTS = 65535


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or HELP & set(arguments):
        print(USAGE)
        return
    with sentences():
        trust = take(arguments, "trust")
        values = studio_options(arguments)
        if "run" not in values:
            raise ValueError("expected run=RUN, the folder of a run, found none; give it")
        server = open_server(values["run"], int(values.get("port", 8000)), values.get("data_dir"), trust)
        print(f"open {server.address} in a browser on this machine; Ctrl-C ends the server", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("ended")
        finally:
            server.server_close()


def studio_options(arguments: Sequence[str]) -> dict[str, str]:
    """Return the options of the command line.

    Raises:
        ValueError: on an unknown option, or a port that is none.

    >>> studio_options(["run=r", "port=0"])
    {'run': 'r', 'port': '0'}
    """
    found = {}
    for argument in arguments:
        key, value = key_and_text(argument, "studio")
        if key not in KEYS:
            raise ValueError(f"expected an option, got {key}=; {did_you_mean(key, list(KEYS))}")
        found[key] = value
    port = found.get("port", "0")
    if not (port.isdecimal() and int(port) <= PORTS):
        raise ValueError(f"expected port=NUMBER from 0 to {PORTS}, found {port!r}; correct it")
    return found


def open_server(
    run: str | Path | Run, port: int = 0, data_dir: str | Path | None = None, trust: Sequence[str] = ()
) -> StudioServer:
    """Return a server of the page, which answers after ``serve_forever``.

    Args:
        run: folder of a run, or a loaded run.
        port: of the loopback address; 0 takes a free one.
        data_dir: where datasets lie; that of the run if None.
        trust: packages in addition to pdekit that the run may name.

    Raises:
        FileNotFoundError: if there is no such run.
        OSError: if the port is taken.
        ValueError: if the run makes no forecasts or has no uniform grid.
    """
    from pdekit import machine

    machine.prepare()
    from pdekit.serving.server import StudioServer
    from pdekit.workflows.studio_run import studio_of

    return StudioServer(studio_of(run, data_dir, trust), port)


if __name__ == "__main__":
    main()
