"""Choices among paraphrases that depend on (seed, split, trajectory) alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Option = TypeVar("Option")


class Wording:
    """Choose one of several wordings, for one sentence after the other.

    Args:
        key: numbers that fix all choices; none chooses the first wording each time.

    >>> Wording().of(("a", "b")), Wording(0, 1).of("abcdef") == Wording(0, 1).of("abcdef")
    ('a', True)
    """

    def __init__(self, *key: int):
        self._generator = np.random.default_rng(np.random.SeedSequence(key)) if key else None

    def of(self, options: Sequence[Option]) -> Option:
        """One of the options."""
        return options[0 if self._generator is None else int(self._generator.integers(len(options)))]
