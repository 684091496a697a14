"""Data: storage, windows, loaders, files of others, arrays.

Names are loaded on first use, because only the data module needs Lightning.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Clouds": "pdekit.data.point_clouds",
    "DataModule": "pdekit.data.module",
    "Description": "pdekit.data.description",
    "Split": "pdekit.data.store",
    "Windows": "pdekit.data.windows",
    "collate": "pdekit.data.windows",
    "from_arrays": "pdekit.data.arrays",
    "from_points": "pdekit.data.point_clouds",
    "open_source": "pdekit.data.formats",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pdekit.data' has no attribute {name!r}; it has {', '.join(_HOMES)}")
    return getattr(importlib.import_module(_HOMES[name]), name)
