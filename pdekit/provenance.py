"""Origin of a result: versions, commit, machine, seeds, hashes, times."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from pdekit.machine import describe_machine
from pdekit.plain import from_json, to_json

RECORD = "provenance.json"
"""File of a run folder that says where the run comes from."""

PACKAGES = ("pdekit", "torch", "lightning", "numpy", "neuraloperator", "hydra-core", "h5py", "xarray", "safetensors")


def provenance(**known: Any) -> dict[str, Any]:
    """Time, versions, commit and machine, and what the caller adds (seed, data, seconds)."""
    return {
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "commit": commit(),
        "machine": describe_machine(),
        **known,
    }


def version(package: str) -> str | None:
    """The installed version of a package, None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def commit() -> str | None:
    """Commit of the checkout that this package runs from, with "-dirty" if files differ; None if it is installed."""
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        head, changed = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None  # no git, or not a checkout of this package
    return f"{head}-dirty" if changed else head


def _git(*command: str) -> str:
    done = subprocess.run(
        ["git", *command], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()


def sha256(path: Path) -> str:
    """Hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write plain values, readable by a person."""
    write_whole(path, to_json(value, 2) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a text file that appears whole or not at all; a full disk or a kill leaves the file before it."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_record(folder: Path) -> dict[str, Any]:
    """Return what the ``provenance.json`` of a run folder states; nothing if there is none.

    Raises:
        ValueError: if the file is damaged.
    """
    path = Path(folder) / RECORD
    if not path.is_file():
        return {}
    try:
        found = from_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"expected the record of a run in {path}, found a damaged file ({error}); restore it, or remove it"
        ) from None
    if not isinstance(found, dict):
        raise ValueError(f"expected names and values in {path}, found {type(found).__name__}; restore it, or remove it")
    return found
