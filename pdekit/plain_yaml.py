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
        yaml.YAMLError: on a text that is no YAML.

    >>> read_yaml("{dt: 1e-3, extent: [1, 2.5E2], key: e3, word: '1e-3'}")
    {'dt': 0.001, 'extent': [1, 250.0], 'key': 'e3', 'word': '1e-3'}
    """
    return yaml.load(text, Loader)
