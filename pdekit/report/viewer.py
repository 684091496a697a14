"""The kept forecasts as packed numbers, from which the page paints any field, sample, member and time that is chosen.

Values are rounded to 4094 steps of what each block spans, differences in time are taken, bytes are sorted by their
significance and deflated: 1.7 characters a value of two-dimensional turbulence, so that a page holds two million.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from pdekit.plain import to_json
from pdekit.report.charts.colours import LEVELS, Scale, diverging, scales, sequential
from pdekit.report.charts.curves import Line, Panel
from pdekit.report.charts.formats import with_unit
from pdekit.report.charts.scene import PIXELS, Plane, Scene, SceneAxis

STEPS = 4093
HOLE, DIVERGED, FIRST = 0, 1, 2
"""Codes: outside of a mask, not finite, and the lowest value."""

MOST_VALUES = 2**21
MOST_FRAMES = {"map": 60, "line": 200}
MOST_SAMPLES = 4
BEYOND = 4.0
"""A forecast is packed up to so many spans of the reference beyond it."""


@dataclass(frozen=True)
class Viewer:
    """Values for the template and the script of the viewer.

    Args:
        kind: "map" (two axes of space) or "line" (time and x).
        fields, models, samples: choices; the members of each model.
        members: most members of any model.
        times: times of the frames.
        planes: planes in which fields are drawn.
        inputs: names of the given fields.
        data: data for the script, as JSON.
        first: the frame that is shown at first.
        x, t: the axes of a "line".
        profiles: for each field of a "line": an empty chart, and the ends of its axes as JSON.
    """

    kind: str
    fields: tuple[str, ...]
    models: tuple[str, ...]
    samples: tuple[int, ...]
    members: int
    times: tuple[float, ...]
    planes: tuple[Plane, ...]
    inputs: tuple[str, ...]
    data: str
    first: int = 0
    x: SceneAxis | None = None
    t: SceneAxis | None = None
    profiles: tuple[tuple[str, str], ...] = ()


def viewer(kept: xr.Dataset, scene: Scene, models: list[str]) -> Viewer | None:
    """The viewer of some models next to the reference; None where there is nothing to paint."""
    kind = "map" if scene.seen else "line" if scene.space == ["x"] and kept.sizes["time"] > 1 else None
    if kind is None or not models:
        return None
    size = _size(kept, scene, kind, models)
    painted = scene.planes if kind == "map" else ()
    planes: Sequence[Plane | None] = painted or (None,)
    frames = np.unique(np.linspace(0, kept.sizes["time"] - 1, size.frames).round().astype(int))
    kept = kept.isel(time=frames)
    blocks: dict[str, Any] = {}
    fields = []
    for number, name in enumerate(scene.fields):
        known = kept[name].sel(model="reference")
        pictures = [_picture(scene, known, plane, sample, 0) for plane in planes for sample in range(size.samples)]
        reference = np.concatenate([picture.ravel() for picture in pictures])
        low, high = _span(reference)
        value, error = scales(reference)
        fields.append({"name": name, "unit": scene.unit(name), "value": _scale(value), "error": _scale(error)})
        for sample in range(size.samples):
            for place, plane in enumerate(planes):
                for row, model in enumerate(("reference", *size.models)):
                    for member in range(min(size.members, _members(kept, name, model)) if row else 1):
                        values = _picture(scene, kept[name].sel(model=model), plane, sample, member)
                        values = values[..., :: size.stride, :: size.stride] if kind == "map" else values
                        blocks[f"{number}|{sample}|{place}|{row - 1}|{member}"] = pack(values, low, high)
    inputs = []
    for number, name in enumerate(scene.inputs if kind == "map" else ()):
        rows = [[scene.values(kept[name], plane, s) for plane in painted] for s in range(size.samples)]
        everything = np.concatenate([p.ravel() for row in rows for p in row])
        inputs.append({"name": name, "unit": scene.unit(name), "value": _scale(scales(everything)[0])})
        for sample, pictures in enumerate(rows):
            for place, values in enumerate(pictures):
                values = values[None, :: size.stride, :: size.stride]
                blocks[f"input {number}|{sample}|{place}"] = pack(values, *_span(everything))
    members = max((min(size.members, _members(kept, scene.fields[0], m)) for m in size.models), default=1)
    times = kept.time.values.astype(np.float64)
    data = {
        "kind": kind, "fields": fields, "inputs": inputs, "models": list(size.models), "times": times.tolist(),
        "members": [min(size.members, _members(kept, scene.fields[0], m)) for m in size.models],
        "planes": [{"periodic": list(plane.periodic)} if plane else {"periodic": [False, scene.periodic[0]]}
                   for plane in planes],
        "axes": [[plane.across.low, plane.across.high, plane.up.low, plane.up.high] if plane else None
                 for plane in planes],
        "x": kept["x"].values.tolist() if kind == "line" else None,
        "maps": {"diverging": _hex(diverging()), "sequential": _hex(sequential())},
        "steps": STEPS, "blocks": blocks,
    }  # fmt: skip
    x = scene.axis("x") if kind == "line" else None
    half = (times[-1] - times[0]) / max(1, len(times) - 1) / 2
    label = with_unit("lead time", str(kept.time.attrs.get("units", "1")))
    t = SceneAxis.of(label, float(times[0] - half), float(times[-1] + half), 6) if kind == "line" else None
    return Viewer(
        kind, tuple(scene.fields), tuple(size.models), tuple(range(size.samples)), members, tuple(times.tolist()),
        painted, tuple(scene.inputs) if kind == "map" else (),
        _script(data), len(times) // 4, x, t,
        tuple(_profile(scene, field, x) for field in fields) if x else (),
    )  # fmt: skip


def _profile(scene: Scene, field: dict[str, Any], x: SceneAxis) -> tuple[str, str]:
    """An empty chart of a field against x, and the ends of its axes, for the script."""
    low, high = field["value"]["low"], field["value"]["high"]
    room = 0.1 * (high - low)
    ends = x.low, x.high, low - room, high + room
    panel = Panel(f"{field['name']} against x at the chosen time", x.label, with_unit(field["name"], field["unit"]),
                  size=(720, 240))  # fmt: skip
    panel.limits("x", *ends[:2])
    panel.limits("y", *ends[2:])
    panel.slot("reference", Line(0), 3.0)
    panel.slot("forecast", Line(1))
    return panel.svg(), to_json(ends)


@dataclass
class _Size:
    models: list[str]
    members: int
    frames: int
    samples: int
    stride: int = 1


def _size(kept: xr.Dataset, scene: Scene, kind: str, models: list[str]) -> _Size:
    """Choose the part of the forecasts that fits into the page; the least important axes are thinned first."""
    size = _Size(
        list(models), int(kept.sizes.get("member", 1)), min(kept.sizes["time"], MOST_FRAMES[kind]),
        min(kept.sizes["sample"], MOST_SAMPLES),
    )  # fmt: skip

    def values() -> float:
        if scene.mesh:
            points = len(scene.planes) * PIXELS**2
        elif kind == "line":
            points = kept.sizes["x"]
        else:
            points = sum(kept.sizes[plane.dims[0]] * kept.sizes[plane.dims[1]] for plane in scene.planes)
        blocks = len(scene.fields) * size.samples * (1 + len(size.models) * size.members)
        return blocks * size.frames * points / size.stride**2

    while values() > MOST_VALUES:
        if size.members > 4:
            size.members = 4
        elif len(size.models) > 3:
            size.models.pop()
        elif size.samples > 2:
            size.samples -= 1
        elif size.frames > 24:
            size.frames = max(24, size.frames * 2 // 3)
        elif len(size.models) > 1 or size.members > 2:
            size.models, size.members = size.models[:1], 2
        elif size.samples > 1:
            size.samples = 1
        elif size.stride < 4 and kind == "map":
            size.stride *= 2
        else:
            break
    return size


def _members(kept: xr.Dataset, name: str, model: str) -> int:
    """Members that were kept of a model: those that are not NaN throughout."""
    if "member" not in kept[name].dims:
        return 1
    there = kept[name].sel(model=model).isel(sample=0, time=0).notnull()
    return max(1, int(there.any([dim for dim in there.dims if dim != "member"]).sum()))


def _picture(scene: Scene, data: xr.DataArray, plane: Plane | None, sample: int, member: int) -> np.ndarray:
    """Values "time x y", or "time 1 x" of a line."""
    if "member" in data.dims:
        data = data.isel(member=member)
    return scene.line(data, sample)[:, None] if plane is None else scene.values(data, plane, sample)


def _span(values: np.ndarray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def pack(values: np.ndarray, low: float, high: float) -> list[Any]:
    """[lowest value, highest value, shape, bytes as text] of values "time a b"; NaN is a hole, an infinity diverged.

    Args:
        values: values to pack.
        low, high: span of the reference; a forecast may leave it `BEYOND` so far.
    """
    width = high - low
    finite = np.isfinite(values)
    some = values[finite]
    first = max(float(some.min()), low - BEYOND * width) if some.size else low
    last = min(float(some.max()), high + BEYOND * width) if some.size else high
    if not last > first:
        first, last = first - 0.5, first + 0.5
    share = np.clip((np.where(finite, values, first) - first) / (last - first), 0, 1)
    codes = FIRST + np.round(STEPS * share).astype(np.int64)
    codes = np.where(np.isnan(values), HOLE, np.where(finite, codes, DIVERGED)).astype(np.uint16)
    codes[1:] -= codes[:-1].copy()
    flat = codes.astype("<u2").reshape(-1).view(np.uint8).reshape(-1, 2)
    packed = zlib.compress(np.ascontiguousarray(flat.T).tobytes(), 9)
    return [first, last, list(values.shape), base64.b64encode(packed).decode()]


def _script(data: dict[str, Any]) -> str:
    """JSON that ends no script, whatever models are called."""
    return to_json(data, compact=True).replace("<", "\\u003c")


def _scale(scale: Scale) -> dict[str, Any]:
    kind = "diverging" if scale.colours is diverging() else "sequential"
    return {"low": scale.low, "high": scale.high, "map": kind}


def _hex(colours: np.ndarray) -> str:
    return "".join("{:02x}{:02x}{:02x}".format(*colours[n]) for n in range(LEVELS))
