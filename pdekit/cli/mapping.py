"""Mappings of HDF5 files on the command line: ``FILE fields.u=/states/u axes=stxy dt=0.1 extent=[1,2]``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

GROUPS = ("fields", "coeffs", "forcing", "params", "axes")
SINGLE = ("axes", "dt", "time", "x", "y", "z", "extent", "origin", "layout", "boundary")


def take_mapping(arguments: list[str]) -> dict[str, Any]:
    """Remove the parts of a mapping from the arguments and return them; nothing without one "fields.NAME=KEY".

    >>> arguments = ["path=a.h5", "fields.u=/u", "axes=stx", "extent=[2.5]", "model=fno"]
    >>> take_mapping(arguments), arguments
    ({'fields': {'u': '/u'}, 'axes': 'stx', 'extent': [2.5]}, ['path=a.h5', 'model=fno'])
    """
    if not any(argument.startswith("fields.") for argument in arguments):
        return {}
    found: dict[str, Any] = {}
    for argument in list(arguments):
        key, equals, value = argument.partition("=")
        group, dot, name = key.partition(".")
        if equals and dot and group in GROUPS:
            part = found.setdefault(group, {})
            if not isinstance(part, dict):
                raise ValueError(
                    f"expected axes= for all arrays or axes.NAME= for each, found both; leave {argument} out"
                )
            part[name] = value
        elif equals and not dot and key in SINGLE:
            if key in found:
                raise ValueError(f"expected {key}= once, found it twice; leave {argument} out")
            found[key] = value_of(argument, value)
        else:
            continue
        arguments.remove(argument)
    return found


def value_of(argument: str, value: str) -> Any:
    """Return the number, word or list that is typed after "="; 1e-3 is a number, which YAML 1.1 reads as a word.

    Raises:
        ValueError: on a text that is no YAML.

    >>> value_of("extent=[1,2e-3]", "[1,2e-3]"), value_of("dt=1e-3", "1e-3"), value_of("fields=[e3]", "[e3]")
    ([1, 0.002], 0.001, ['e3'])
    """
    from pdekit.plain_yaml import read_yaml

    try:
        return read_yaml(value)
    except ValueError:
        raise ValueError(f"expected a number, a word or a list [a,b], found {argument}; correct it") from None


def written(file: str, mapping: dict[str, Any]) -> str:
    """Write a mapping next to its file, unless it is there, and return its path.

    Raises:
        FileNotFoundError, ValueError: if there is no file, or another mapping is there.
    """
    import yaml

    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"expected an HDF5 file at {file}, found none; correct the path")
    target = path.with_name(f"{path.name}.mapping.yaml")
    text = yaml.safe_dump({"file": path.name, **mapping}, sort_keys=False)
    if target.exists() and target.read_bytes() != text.encode():
        raise ValueError(f"expected the mapping of the command line in {target}, found another; remove or name it")
    target.write_text(text, encoding="utf-8")
    return str(target)


def with_path(arguments: list[str]) -> list[str]:
    """Return arguments of which "path=FILE" names the mapping that the other arguments state, if they do."""
    mapping = take_mapping(arguments)
    if not mapping:
        return arguments
    stated = [argument for argument in arguments if argument.startswith("path=")]
    if len(stated) != 1:
        raise ValueError(f"expected one path=FILE with fields.NAME=KEY, found {stated}; name the HDF5 file")
    return [
        f"path={written(argument.removeprefix('path='), mapping)}" if argument in stated else argument
        for argument in arguments
    ]
