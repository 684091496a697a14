"""Neural PDE surrogates trained, evaluated and honestly compared with numerical solvers.

>>> import pdekit
>>> pdekit.solve("ks", n_frames=3).u.dims
('sample', 'time', 'x')
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Loaded when first used, so that `python -m pdekit.train --help` does not wait for torch.
_HOMES = {"load": "pdekit.runs", "score": "pdekit.scoring", "solve": "pdekit.simulate"}

# Modules; all but data can also be called, see `pdekit.cli.command_line.callable_module`.
_MODULES = ("benchmark", "check", "data", "evaluate", "infer", "sample", "train")

__all__ = [
    "__version__",
    "benchmark",
    "check",
    "data",
    "evaluate",
    "infer",
    "load",
    "sample",
    "score",
    "solve",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"pdekit.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'pdekit' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
