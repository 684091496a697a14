"""Data: recipes, generation, storage, windows and loaders.

Names are loaded on first use, because the data module needs Lightning and generating data does not.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "DataModule": "module",
    "Recipe": "recipe",
    "SolvedRecipe": "solved",
    "Split": "store",
    "Windows": "windows",
    "collate": "windows",
    "from_arrays": "arrays",
    "generate": "generation",
    "open_source": "formats",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pdekit.data' has no attribute {name!r}; it has {', '.join(_HOMES)}")
    return getattr(importlib.import_module(f"pdekit.data.{_HOMES[name]}"), name)
