"""Commands of pdekit run in this process, for tests of entry points."""

import sys
from pathlib import Path

import pytest
import torch

from pdekit import train as training_command


def command(monkeypatch, entry_point, *arguments):
    """Run a command in this process."""
    monkeypatch.setattr(sys, "argv", ["command", *arguments])
    threads = torch.get_num_threads()
    try:
        entry_point.main()
    finally:
        torch.set_num_threads(threads)


def failure(monkeypatch, entry_point, *arguments) -> str:
    """Run a command that ends with an error; return the error."""
    with pytest.raises(SystemExit) as stop:
        command(monkeypatch, entry_point, *arguments)
    return str(stop.value)


def trained_run(monkeypatch, folder: Path, *arguments) -> Path:
    """Train in a folder, which then holds the datasets too; return the folder of the run."""
    monkeypatch.setenv("PDEKIT_DATA", str(folder / "datasets"))
    command(monkeypatch, training_command, *arguments, f"runs_dir={folder / 'runs'}")
    (run,) = (folder / "runs").iterdir()
    return run
