"""Text on the effect of the coupling of the fields, and on the share that the surrogates have captured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import xarray as xr

from pdekit.report.sections.base import Page


def coupling_words(scores: xr.Dataset, surrogates: Sequence[str]) -> list[str]:
    """A sentence on the effect, then one for each surrogate; none where the coupling was not cut.

    Values are medians over samples and times, a vector or complex field is one (the mean over its parts).

    Args:
        scores: with ``coupling_effect``, ``coupling_captured`` and ``coupling_relative`` (see pdekit.metrics.coupling).
        surrogates: names of models to speak of.
    """
    if "coupling_effect" not in scores:
        return []
    members = defaultdict(list)
    for field, group in zip(scores.field.values, scores.group.values, strict=True):
        members[str(group)].append(str(field))
    effect = {group: _median(scores.coupling_effect.sel(field=fields)) for group, fields in members.items()}
    touched = [group for group, value in effect.items() if value > 0]
    if not touched:
        return ["With the coupling cut and all else the same, no field changes."]
    changes = [f"{_words(group)} by {_share(effect[group])}" for group in touched]
    still = [_words(group) for group in effect if group not in touched]
    said = [
        f"With the coupling cut and all else the same, the solution changes: {_joined(changes)}"
        + (f"; {_joined(still)} not at all." if still else ".")
    ]
    for name in surrogates:
        parts = []
        for group in touched:
            chosen = scores.sel(model=name, field=members[group])
            captured, left = _median(chosen.coupling_captured), _median(chosen.coupling_relative)
            if np.isfinite(left):
                worse = "" if left < 1 else ", so that a solution without the coupling is nearer"
                parts.append(f"in {_words(group)} {_share(captured)}, off by {_share(left)}{worse}")
            else:
                parts.append(f"in {_words(group)} nothing: it has diverged")
        said.append(f"Of this change {name} has {'; '.join(parts)}.")
    if surrogates:
        said.append("A solution without the coupling is off by 100 %.")
    return said


def _median(values: xr.DataArray) -> float:
    flat = values.mean("field").values
    flat = flat[~np.isnan(flat)]
    return float(np.median(flat)) if flat.size else float("nan")


def _share(value: float) -> str:
    """A share in percent; a tiny one as a power of ten, because it is the power that counts.

    >>> _share(0.256), _share(0.0123), _share(1.7e-6)
    ('26 %', '1.2 %', '1.7e-04 %')
    """
    percent = 100 * value
    if abs(percent) >= 9.95:
        return f"{percent:.0f} %"
    return f"{percent:.2g} %" if abs(percent) >= 0.01 else f"{percent:.1e} %"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def coupling_section(page: Page) -> str:
    """Fill the words on the coupling of the fields."""
    return page.fill("coupling", coupling=coupling_words(page.loaded, page.seen))
