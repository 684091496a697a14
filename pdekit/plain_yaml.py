"""YAML of users, in which 1e-3 is a number: YAML 1.1, which PyYAML reads, takes it for a word because it has no dot."""

from __future__ import annotations

import re
from typing import Any

import yaml

POWER = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the numbers of YAML 1.2 next to those of YAML 1.1."""


Loader.add_implicit_resolver("tag:yaml.org,2002:float", POWER, list("-+0123456789."))


def read_yaml(text: str) -> Any:
    """Return the content of a YAML text; only plain values are made.

    Raises:
        ValueError: on a text that is no YAML, or names an object of Python; the message begins with the line.

    >>> read_yaml("{dt: 1e-3, extent: [1, 2.5E2], key: e3, word: '1e-3'}")
    {'dt': 0.001, 'extent': [1, 250.0], 'key': 'e3', 'word': '1e-3'}
    """
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ValueError(fault_of(error)) from None


def fault_of(error: yaml.YAMLError) -> str:
    """Return the line and the reason of an error of PyYAML.

    >>> try:
    ...     yaml.safe_load("a: 1" + chr(10) + "b: !!python/name:os.system")
    ... except yaml.YAMLError as error:
    ...     fault_of(error)
    "line 2: could not determine a constructor for the tag 'tag:yaml.org,2002:python/name:os.system'"
    """
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return " ".join(str(error).split())
    return f"line {error.problem_mark.line + 1}: {error.problem}"
