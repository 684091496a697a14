"""Order of names that hold numbers: run_9 comes before run_10, and 9999 before 10000."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

NUMBER = re.compile(r"([0-9]+)")
Name = TypeVar("Name", str, Path)


def by_number(names: Iterable[Name]) -> list[Name]:
    """Return names, or paths by their last part, with the numbers in them compared as numbers.

    >>> by_number(["seed_10", "seed_9", "a"])
    ['a', 'seed_9', 'seed_10']
    """

    def key(name: str | Path) -> tuple[list[str | int], str]:
        text = name.name if isinstance(name, Path) else name
        return [int(part) if i % 2 else part for i, part in enumerate(NUMBER.split(text))], text

    return sorted(names, key=key)
