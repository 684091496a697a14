"""Description of arrays that do not describe themselves."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pdekit.boundaries import Ends
from pdekit.fields import Field


@dataclass(frozen=True)
class Description:
    """Description of arrays. What the arrays state of themselves need not be repeated here, and is not contradicted.

    Args:
        dt: time between frames; may be left out for steady data (one frame).
        extent: lengths of the box.
        fields: names of the channels, or `Field`s with units and groups. Channels that have names are put in this
            order.
        layout: layout of each axis, see `Grid`. By default the coordinates' attribute "layout", else the layout
            under which coordinates and values make sense, else periodic.
        origin: lower corner of the box.
        boundary: (lower, upper) condition of each axis, values of `pdekit.boundaries` or their texts, as
            "dirichlet 2.5"; if empty, periodic or a wall, as the layout says.
        coeffs: inputs fixed in time: for each split ("train", ...), arrays "sample *space" by name. By name alone if
            only train is given.
        forcing: inputs that vary in time: for each split, arrays "sample time *space" by name, of the frames of the
            fields. By name alone if only train is given.
        params: scalars: for each split, arrays "sample" by name. By name alone if only train is given.
        mask: 1 where a field exists: "*space", "sample *space" or "sample channel *space"; by split if they differ.
        pde: the equation, for residuals and solver baselines.
        text: captions: for each split, one for each sample; by themselves if only train is given. Or a function that is
            called with the problem, the values of the params by name and the first frame, "channel *space".
    """

    dt: float | None = None
    extent: Sequence[float] | None = None
    fields: Sequence[str | Field] | None = None
    layout: Sequence[str] | None = None
    origin: Sequence[float] = ()
    boundary: Sequence[Ends] = ()
    coeffs: Mapping[str, Any] | None = None
    params: Mapping[str, Any] | None = None
    forcing: Mapping[str, Any] | None = None
    mask: Any = None
    pde: Any = None
    text: Any = None

    def __post_init__(self):
        check_numbers(self.dt, self.extent, self.origin)


def check_numbers(dt: Any, extent: Any, origin: Any = ()) -> None:
    """Raise ValueError if a time step is no number, or an extent or origin not a number for each axis; None is none."""
    if dt is not None and not _is_number(dt):
        raise ValueError(
            f"expected dt as a number, the time between frames, got {dt!r}; correct dt= (steps that differ between "
            "trajectories are the param dt)"
        )
    if dt is not None and not 0 < dt < np.inf:
        raise ValueError(f"expected a positive, finite time dt between frames, got {dt}; correct dt=")
    if extent is not None and (np.ndim(extent) != 1 or not all(map(_is_number, extent))):
        raise ValueError(f"expected extent with a length for each axis of space, got {extent!r}; give extent=(Lx, ...)")
    if np.ndim(origin) != 1 or not all(map(_is_number, origin)):
        raise ValueError(
            f"expected origin with a number for each axis of space, got {origin!r}; give origin=(x0, ...), the lower "
            "corner of the box"
        )


def _is_number(value: Any) -> bool:
    """Return whether a value is a real number, or an array of one."""
    return np.ndim(value) == 0 and np.asarray(value).dtype.kind in "fiu"


def described(about: Description | None, options: Mapping[str, Any]) -> Description:
    """Return the description with some of its parts replaced.

    Raises:
        TypeError: on a name that is no part of a `Description`.
    """
    known = [item.name for item in dataclasses.fields(Description)]
    unknown = sorted(set(options) - set(known))
    if unknown:
        close = difflib.get_close_matches(unknown[0], [*known, "train", "valid", "test"], 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise TypeError(f"expected options among {known}, got {unknown}; {hint}see pdekit.data.Description")
    return dataclasses.replace(about or Description(), **options)
