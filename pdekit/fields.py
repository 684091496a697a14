"""The vocabulary: grids, fields, problems and trajectories.

Everything else in pdekit is written in these nouns. Tensors are real, and their axis order is always
``batch time channel *space`` with spatial axes x, y, z in this order (``indexing="ij"``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, prod
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.boundaries import Ends, Sides, check_inputs, sides_of
from pdekit.round_ends import resized_origin

AXES = ("x", "y", "z")
DIMENSIONS = ("time", "time_of_sample", "sample", "member")  # names of stored arrays in addition to those of fields
LAYOUTS = ("periodic", "cells", "nodes", "half_open")


@runtime_checkable
class Equation(Protocol):
    """An equation as the vocabulary knows it: a frozen dataclass that can describe itself.

    ``dims`` are the numbers of axes for which it is defined, and ``fields`` its unknowns.
    """

    @property
    def dims(self) -> tuple[int, ...]: ...

    @property
    def fields(self) -> tuple[Field, ...]: ...

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def describe(self, params: dict[str, float]) -> str: ...


@runtime_checkable
class InitialState(Protocol):
    """The state at t = 0 as a function of place: coordinates x, y, z -> one value for each field."""

    def __call__(self, coordinates: Sequence[Any]) -> tuple[Any, ...]: ...


@dataclass(frozen=True)
class Grid:
    """A uniform box.

    Point i of an axis with n points, length L and origin o lies at

    - ``periodic``: o + i L/n (the end point is the first point again),
    - ``cells``:    o + (i + 1/2) L/n (cell centres),
    - ``nodes``:    o + i L/(n - 1) (both ends included),
    - ``half_open``: o + i L/n in a bounded box (the lower end is a point, the upper end is not).

    A grid of shape ``()`` belongs to a zero-dimensional system (ordinary differential equations).

    Args:
        shape: number of points of each axis.
        extent: length of each axis, in the problem's unit of length. A solver may be given a grid whose
            lengths are tensors shaped "batch 1 *1" (see `Problem.at`): one box per trajectory.
        origin: coordinate of the lower end of each axis (default 0).
        layout: one of `LAYOUTS` for each axis (default periodic).

    >>> Grid((4,), (2.0,)).coordinates(0).tolist()
    [0.0, 0.5, 1.0, 1.5]
    >>> Grid((4,), (2.0,), layout=("cells",)).coordinates(0).tolist()
    [0.25, 0.75, 1.25, 1.75]
    """

    configurable = True
    uniform: ClassVar[bool] = True

    shape: tuple[int, ...]
    extent: tuple[Any, ...]
    origin: tuple[float, ...] = ()
    layout: tuple[str, ...] = ()

    def __post_init__(self):
        ndim = len(self.shape)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "extent", tuple(self.extent))
        object.__setattr__(self, "origin", tuple(self.origin) or (0.0,) * ndim)
        object.__setattr__(self, "layout", tuple(self.layout) or ("periodic",) * ndim)
        for name in ("extent", "origin", "layout"):
            if len(getattr(self, name)) != ndim:
                raise ValueError(
                    f"expected {name} with one entry for each of the {ndim} axes of shape {self.shape}, "
                    f"got {getattr(self, name)}; give {ndim} entries"
                )
        if ndim > 3:
            raise ValueError(f"expected at most 3 axes (x, y, z), got shape {self.shape}; use a smaller problem")
        if any(n < 1 for n in self.shape):
            raise ValueError(f"expected a point or more on each axis, got {self.shape}; correct Grid(shape=...)")
        for layout in self.layout:
            if layout not in LAYOUTS:
                raise ValueError(f"expected a layout among {LAYOUTS}, got {layout!r}; correct Grid(layout=...)")
        if any(not isinstance(length, Tensor) and not 0 < length < inf for length in self.extent):
            raise ValueError(f"expected positive, finite lengths, got extent {self.extent}; correct Grid(extent=...)")
        if not all(map(isfinite, self.origin)):
            raise ValueError(f"expected finite coordinates, got origin {self.origin}; correct Grid(origin=...)")

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes: ("x",), ("x", "y") or ("x", "y", "z")."""
        return AXES[: self.ndim]

    dims = axes  # of an array on this grid

    @property
    def periodic(self) -> bool:
        return all(layout == "periodic" for layout in self.layout)

    @property
    def spacing(self) -> tuple[Any, ...]:
        """Distance between neighbouring points of each axis."""
        return tuple(
            length / (n - 1) if layout == "nodes" else length / n
            for n, length, layout in zip(self.shape, self.extent, self.layout, strict=True)
        )

    def coordinates(self, axis: int, dtype: torch.dtype = torch.float64, device=None) -> Tensor:
        """Coordinates of one axis, shape (n,); "batch 1 *1 n" broadcast if the length is a tensor."""
        i = torch.arange(self.shape[axis], dtype=dtype, device=device) + (0.5 if self.layout[axis] == "cells" else 0)
        h = self.spacing[axis]
        if isinstance(h, Tensor):
            i, h = i.reshape([-1 if a == axis else 1 for a in range(self.ndim)]), h.to(dtype)
        return self.origin[axis] + i * h

    def mesh(self, dtype: torch.dtype = torch.float64, device=None) -> tuple[Tensor, ...]:
        """Coordinates of all points by axis, of shape ``shape`` ("batch 1 *shape" where a length is a tensor)."""
        columns = []
        for axis in range(self.ndim):
            column = self.coordinates(axis, dtype, device)
            if column.ndim == 1:
                column = column.reshape([-1 if a == axis else 1 for a in range(self.ndim)]).expand(self.shape)
            columns.append(column)
        return tuple(columns)

    def weights(self, dtype: torch.dtype = torch.float64, device=None) -> Tensor:
        """Quadrature weights of the points, of shape ``shape``; they sum to the volume of the box.

        Equal weights on periodic and cell axes (spectrally exact for band-limited periodic fields, second
        order on cells), trapezoidal weights on nodes (second order). Equal weights on half-open axes, too (first
        order): nothing is known between the last point and the upper end.
        """
        total = torch.ones(self.shape, dtype=dtype, device=device)
        for axis, (n, h) in enumerate(zip(self.shape, self.spacing, strict=True)):
            w = torch.full((n,), float(h), dtype=dtype, device=device)
            if self.layout[axis] == "nodes":
                w[[0, -1]] *= 0.5
            total = total * w.reshape([-1 if a == axis else 1 for a in range(self.ndim)])
        return total

    def resized(self, shape: Sequence[int]) -> Grid:
        """The same box with another number of points. On a periodic axis see `resized_origin`."""
        axes = zip(self.origin, self.extent, self.shape, shape, self.layout, strict=False)
        origin = tuple(resized_origin(o, *box) if where == "periodic" else o for o, *box, where in axes)
        return dataclasses.replace(self, shape=tuple(shape), origin=origin)


@dataclass(frozen=True)
class Points:
    """An unstructured set of at most ``max_points`` points of dimension ``ndim``, sorted along one axis.

    The coordinates belong to each trajectory (`Trajectory.points`), because geometries vary.
    """

    configurable = True
    uniform = periodic = False
    layout: ClassVar[tuple[str, ...]] = ()
    dims: ClassVar[tuple[str, ...]] = ("point",)

    ndim: int
    max_points: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.max_points,)


@dataclass(frozen=True)
class Field:
    """One real channel.

    Args:
        name: what the channel is, e.g. "vorticity".
        unit: its unit; "1" if non-dimensional.
        vector: name of the group whose components belong together, e.g. "velocity".
        complex: name of the complex field of which this is the real part (first) or imaginary part (second).
    """

    configurable = True

    name: str
    unit: str = "1"
    vector: str | None = None
    complex: str | None = None

    @property
    def group(self) -> str:
        """Channels of one group share one scale and have no mean removed; others stand alone."""
        return self.vector or self.complex or self.name


@dataclass(frozen=True)
class Problem:
    """Everything a model may know before it sees data.

    Args:
        grid: where the fields live; nominal where a length varies (reserved params ``length_x|y|z``).
        fields: the channels of ``u``.
        dt: time between frames, nominal where it varies (reserved param ``dt``); None if steady.
        n_frames: frames of a stored trajectory; 1 for a steady problem.
        boundary: (lower, upper) condition of each axis, values of `pdekit.boundaries` or their texts; if empty,
            `Periodic` where the grid is and a `Wall` elsewhere. Points have none.
        coeffs: input fields fixed in time.
        params: names of scalars that vary from sample to sample.
        has_text: whether trajectories carry a caption.
        pde: the equation, None if unknown.
        forcing: input fields that vary in time and are known over the forecast.
        has_mask: whether trajectories carry a mask that says where each field exists.
        instance: the initial state as a function, if all trajectories are one and the same instance.
    """

    configurable = True

    grid: Grid | Points
    fields: tuple[Field, ...]
    dt: float | None = None
    n_frames: int = 1
    boundary: Sequence[Ends] = ()
    coeffs: tuple[Field, ...] = ()
    params: tuple[str, ...] = ()
    has_text: bool = False
    pde: Equation | None = None
    forcing: tuple[Field, ...] = ()
    has_mask: bool = False
    instance: InitialState | None = None

    def __post_init__(self):
        for name in ("fields", "coeffs", "params", "forcing", "boundary"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.fields:
            raise ValueError("expected at least one field, got none; name the channels in Problem(fields=...)")
        taken = {*DIMENSIONS, *AXES[: self.grid.ndim]}
        for item in (*self.fields, *self.coeffs, *self.forcing):
            if not item.name.strip() or "/" in item.name or item.name in taken:
                raise ValueError(
                    f"expected a name of a field that is not empty, has no '/' and is none of {sorted(taken)}, got "
                    f"{item.name!r}; rename the field"
                )
        names = [item.name for item in (*self.fields, *self.coeffs, *self.forcing)] + list(self.params)
        if len(set(names)) < len(names):
            raise ValueError(f"expected each name once among fields, coeffs, forcing and params, got {names}; rename")
        if not (self.dt is None or 0 < self.dt < inf) or (self.dt is None and self.n_frames > 1):
            raise ValueError(f"expected dt > 0 for a problem of {self.n_frames} frames, got {self.dt}; set dt")
        object.__setattr__(self, "boundary", self.sides)
        check_inputs(self.sides, [item.name for item in (*self.coeffs, *self.forcing)])

    @property
    def steady(self) -> bool:
        return self.n_frames == 1

    @property
    def ndim(self) -> int:
        return self.grid.ndim

    @property
    def on_box(self) -> bool:
        """True on a uniform grid with at least one axis."""
        return self.grid.uniform and self.grid.ndim > 0

    @property
    def box(self) -> Grid:
        """The grid of a problem on a uniform box; raises ValueError for a problem on points."""
        if not self.grid.uniform:
            raise ValueError(f"expected a problem on a uniform grid, got {self.grid}; use fields on a grid")
        return self.grid

    @property
    def step(self) -> float:
        """Nominal time between frames; raises ValueError for a steady problem without one."""
        if self.dt is None:
            raise ValueError("expected a problem in time, got a steady one; use trajectories")
        return self.dt

    @property
    def sides(self) -> Sides:
        """(lower, upper) condition of each axis, as values; none for points."""
        return sides_of(self.boundary, self.grid.layout, AXES)

    @property
    def n_channels(self) -> int:
        return len(self.fields)

    def at(self, params: Float[Tensor, "batch param"] | None) -> tuple[Any, Grid, Any]:
        """The equation, the grid and the time step of given parameters.

        A parameter named like a field of the equation replaces it; ``length_x|y|z`` replace the box lengths
        and ``dt`` the step. Values come back shaped "batch 1 *1", which calculi and steppers accept.
        """
        if not self.params or params is None:
            return self.pde, self.grid, self.dt
        if params.shape[-1] != len(self.params):
            raise ValueError(
                f"expected one column for each of the params {self.params}, got shape {tuple(params.shape)}; "
                "give them in the order of problem.params"
            )
        shape = (params.shape[0], 1) + (1,) * self.grid.ndim
        values = {name: params[:, i].reshape(shape) for i, name in enumerate(self.params)}
        lengths = zip(self.grid.axes, self.grid.extent, strict=True)
        extent = tuple(values.pop(f"length_{letter}", length) for letter, length in lengths)
        dt = values.pop("dt", self.dt)
        grid = dataclasses.replace(self.grid, extent=extent)
        pde = dataclasses.replace(self.pde, **values) if self.pde is not None and values else self.pde
        return pde, grid, dt


@dataclass(frozen=True)
class Trajectory:
    """A batch of trajectories; absent parts are None. Shapes are those of DESIGN section 2.

    Args:
        u: "batch time channel *space", in physical units.
        t: "batch time", in the problem's unit of time.
        coeffs: "batch coeff *space".
        forcing: "batch time force *space"; of what is given to a forecast, it goes on to the last time wanted.
        mask: "batch field *space", 1 where a field exists.
        points: "batch point dim"; with point_mask "batch point" and cells "batch cell corner".
        params: "batch param", in the order of `Problem.params`.
        text: one caption for each trajectory.
        index: "batch", which sample of its split.
    """

    u: Float[Tensor, "batch time channel *space"]
    t: Float[Tensor, "batch time"]
    coeffs: Float[Tensor, "batch coeff *space"] | None = None
    forcing: Float[Tensor, "batch forced force *space"] | None = None
    mask: Float[Tensor, "batch field *space"] | None = None
    points: Float[Tensor, "batch point dim"] | None = None
    point_mask: Tensor | None = None
    cells: Tensor | None = None
    params: Float[Tensor, "batch param"] | None = None
    text: tuple[str, ...] | None = field(default=None)
    index: Tensor | None = None

    def __len__(self) -> int:
        return self.u.shape[0]

    def _map(self, function) -> Trajectory:
        parts = {item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.name != "text"}
        changed = {name: function(value) for name, value in parts.items() if value is not None}
        return dataclasses.replace(self, **changed)

    def to(self, *args, **kwargs) -> Trajectory:
        """Like `Tensor.to`; a floating dtype is applied to floating tensors only."""
        device = self.u.new_empty(0).to(*args, **kwargs).device
        return self._map(lambda part: part.to(*args, **kwargs) if part.is_floating_point() else part.to(device))

    def pin_memory(self) -> Trajectory:
        return self._map(lambda value: value.pin_memory())

    @property
    def existing(self) -> Tensor | None:
        """Mask of where fields exist, "batch field *space", without padding of points; None for everywhere."""
        if self.point_mask is None:
            return self.mask
        return self.point_mask[:, None] if self.mask is None else self.mask * self.point_mask[:, None]

    def samples(self, which: slice | Tensor) -> Trajectory:
        """Some of the trajectories of the batch."""
        chosen = self._map(lambda value: value[which])
        picked = () if self.text is None else torch.arange(len(self))[which].tolist()
        return dataclasses.replace(chosen, text=None if self.text is None else tuple(self.text[i] for i in picked))

    def frames(self, which: slice) -> Trajectory:
        """Some of the frames of every trajectory."""
        forcing = None if self.forcing is None else self.forcing[:, which]
        return dataclasses.replace(self, u=self.u[:, which], t=self.t[:, which], forcing=forcing)

    def known(self, history: int) -> Trajectory:
        """Return what is known before a forecast: the first `history` frames of `u`, and the forcing of all frames."""
        return dataclasses.replace(self, u=self.u[:, :history], t=self.t[:, :history])


def n_values(grid: Grid | Points) -> int:
    """Number of points of a grid."""
    return prod(grid.shape)
