"""Scenes of the local page: a sample for a prompt, or a forecast next to the stored solution, with their numbers.

A scene is plain data for JSON: panels of frames, curves over time and spectra. Frames are single-precision numbers in
base64, "time field x y"; of three axes the middle plane along z is shown.
"""

from __future__ import annotations

import base64
import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pdekit.data.windows import Source
from pdekit.fields import Problem, Trajectory
from pdekit.metrics.incompressible import divergence
from pdekit.metrics.physics import has_residual, residual
from pdekit.metrics.pointwise import nrmse
from pdekit.metrics.shells import shells_of
from pdekit.metrics.spectra import energy_spectrum
from pdekit.models.prompts import Prompt, answering, sample_prompt
from pdekit.models.text2pde import Text2PDE
from pdekit.report.charts.colours import diverging, scales, sequential
from pdekit.runs import Run
from pdekit.serving.drawing import Stroke, can_draw, with_strokes
from pdekit.serving.prompt_facts import facts_of
from pdekit.serving.worker import Report
from pdekit.typed_values import check_seed, of_type

MOST_VALUES = 2**21
"""Values of a panel; longer trajectories are shown at fewer times."""


@dataclass(frozen=True)
class ShownTrajectory:
    """One trajectory of a scene.

    Args:
        name: its title.
        u: "time channel *space".
        params: of its equation, "param"; None if they are not known.
    """

    name: str
    u: Tensor
    params: Tensor | None = None


class Studio:
    """A trained run and what can be looked at.

    Args:
        run: trained.
        test: trajectories of the test split; None if there are none here.
        reason: why there are none.

    Raises:
        ValueError: if the run makes no forecasts, or its problem has no uniform grid with axes.
    """

    def __init__(self, run: Run, test: Source | None, reason: str = ""):
        if not run.model.forecasts:
            raise ValueError(
                "expected a run that forecasts, got one that does not (an autoencoder); open a run that uses it"
            )
        if not run.problem.grid.uniform or not run.problem.ndim:
            raise ValueError(
                f"expected a run on a uniform grid with axes, got {run.problem.grid}; its report shows it: "
                f"{run.path / 'report.html'}"
            )
        self.run, self.test, self.reason = run, test, reason

    def about(self) -> dict[str, Any]:
        """Return what the page needs to know of the run."""
        model, problem = self.run.model, self.run.problem
        prompted = answering(model)
        found: dict[str, Any] = {
            "run": self.run.path.name,
            "model": self.run.name,
            "weights": model.n_parameters,
            "equation": type(problem.pde).__name__ if problem.pde is not None else "",
            "grid": list(problem.grid.shape),
            "prompts": prompted is not None,
            "samples": 0 if self.test is None else self.test.n_trajectories,
            "reason": self.reason,
            "stochastic": model.stochastic,
            "draws": self.test is not None and can_draw(problem, model.window[0]),
            "maps": {"diverging": _hex(diverging()), "sequential": _hex(sequential())},
            "captions": [],
            "ranges": {},
        }
        if prompted is not None:
            found |= {"guidance": prompted.generation.guidance, "params": _asked(prompted)}
            if prompted.text is not None:
                found |= {"ranges": prompted.text.vocabulary.known_ranges, "captions": self.captions()}
        return found

    def captions(self, n: int = 6) -> list[str]:
        """Return some captions of the test split; none without one."""
        if self.test is None:
            return []
        texts = [self.test.read(i).text for i in range(min(n, self.test.n_trajectories))]
        return [text[0] for text in texts if text]

    def sample(self, prompt: Prompt, report: Report) -> dict[str, Any]:
        """Return the scene of a sample.

        Raises:
            ValueError: see `sample_prompt`.
        """
        report(0.05, "sampling")
        u, t = sample_prompt(self.run.model, prompt)
        report(0.9, "spectra")
        names = self.run.problem.params
        known = bool(names) and set(names) == set(prompt.params)
        params = torch.tensor([float(prompt.params[name]) for name in names]) if known else None
        found = scene([ShownTrajectory("sample", u[0], params)], t, self.run.problem)
        title = prompt.text or ", ".join(f"{name} {value:g}" for name, value in prompt.params.items())
        return found | {"title": title, "facts": facts_of(u[0], prompt.text, self.run.problem)}

    def forecast(self, number: int, seed: int, report: Report, strokes: Sequence[Stroke] = ()) -> dict[str, Any]:
        """Return the scene of a forecast from a trajectory of the test split, next to the stored solution.

        With strokes they are added to its first frame, and there is no stored solution to compare with.

        Raises:
            ValueError: if there is no such trajectory, or the model cannot start from a drawing.
        """
        if self.test is None or not 0 <= number < self.test.n_trajectories:
            wanted = self.reason if self.test is None else f"0 to {self.test.n_trajectories - 1}"
            raise ValueError(f"expected a trajectory of the test split, got {number}; {wanted}")
        report(0.05, "reading the stored solution")
        batch, model = self.test.read(number), self.run.model
        history = model.window[0]
        if strokes:
            if not can_draw(self.run.problem, history):
                raise ValueError(
                    "expected a model that starts from one frame with two axes, to draw on; leave out strokes"
                )
            first_frame = with_strokes(batch.u[0, 0], list(strokes), self.run.problem)
            batch = dataclasses.replace(batch, u=torch.cat((first_frame[None, None], batch.u[:, 1:]), 1))
        report(0.1, "forecasting")
        with torch.no_grad():
            generator = torch.Generator().manual_seed(seed)
            u = model.forecast(batch.known(history), batch.t[:, history:], 1, generator)[0]
        report(0.7, "errors and spectra")
        first = max(0, history - 1)
        shown = torch.cat((batch.u[:, first:history].to(u), u), 1)
        panels = [ShownTrajectory(self.run.name, shown[0]), ShownTrajectory("solver", batch.u[0, first:])]
        panels = panels[:1] if strokes else panels
        panels = [ShownTrajectory(p.name, p.u, None if batch.params is None else batch.params[0]) for p in panels]
        mask = None if batch.mask is None else batch.mask[0]
        found = scene(panels, batch.t[0, first:], self.run.problem, mask)
        title = "drawing on " * bool(strokes) + _titled(number, batch, self.run.problem)
        return found | {"title": title, "facts": [], "number": number}


def scene(panels: Sequence[ShownTrajectory], t: Tensor, problem: Problem, mask: Tensor | None = None) -> dict[str, Any]:
    """Return frames, curves and spectra of trajectories at common times; errors are those against the last one.

    Args:
        panels: trajectories.
        t: times, "time".
        problem: their problem.
        mask: 1 where a field exists, "field *space".
    """
    batched = None if mask is None else mask[None]
    curves = []
    if len(panels) > 1:
        error = nrmse(panels[0].u[None].double(), panels[-1].u[None].double(), problem, batched)[0]
        lines = [
            {"name": field.name, "values": _numbers(error[:, i])}
            for i, field in enumerate(problem.fields)
            if error.shape[1] == len(problem.fields)
        ] or [{"name": panels[0].name, "values": _numbers(error[:, 0])}]
        curves.append({"title": "error over time (nRMSE)", "t": t.tolist(), "lines": lines})
    curves += _physics(panels, t, problem, batched)
    every = -(-panels[0].u.numel() // MOST_VALUES)
    frames = list(range(0, len(t), every))
    space = problem.grid.shape
    found: dict[str, Any] = {
        "fields": [{"name": field.name, "unit": field.unit} for field in problem.fields],
        "shape": list(space[:2]),
        "periodic": [layout == "periodic" for layout in problem.grid.layout[:2]],
        "extent": [float(length) for length in problem.grid.extent[:2]],
        "x": problem.grid.coordinates(0).tolist(),
        "times": t[frames].tolist(),
        "panels": [{"name": p.name, "values": _packed(_plane(p.u[frames], problem, mask))} for p in panels],
        "scales": [_scale(panels[-1].u[:, i]) for i in range(problem.n_channels)],
        "curves": curves,
    }
    if mask is None:
        spectra = [energy_spectrum(p.u[frames][None].double(), None, problem)[0] for p in panels]
        found["spectrum"] = {
            "k": shells_of(problem).wavenumbers.tolist(),
            "lines": [{"name": p.name, "values": _packed(s)} for p, s in zip(panels, spectra, strict=True)],
        }
    return found


def _physics(
    panels: Sequence[ShownTrajectory], t: Tensor, problem: Problem, mask: Tensor | None
) -> list[dict[str, Any]]:
    """Residual of the equation and divergence over time, where they are defined."""
    found = []
    known = not problem.params or all(p.params is not None for p in panels)
    if has_residual(problem) and known and len(t) >= 3:
        lines = []
        for p in panels:
            params = None if p.params is None else p.params[None]
            size = residual(p.u[None].double(), problem, params, mask)
            lines.append({"name": p.name, "values": _numbers((size.norm / size.scale)[0])})
        title = "residual of the equation, divided by the time derivative"
        found.append({"title": title, "t": t[1:-1].tolist(), "lines": lines})
    for vector in dict.fromkeys(field.vector for field in problem.fields if field.vector):
        lines = []
        for p in panels:
            values = divergence(p.u[None].double(), problem, None if p.params is None else p.params[None])
            if values.shape[-1]:
                lines.append({"name": p.name, "values": _numbers(values[0, :, 0])})
        if lines:
            found.append({"title": f"divergence of {vector}, relative", "t": t.tolist(), "lines": lines})
        break
    return found


def _titled(number: int, batch: Trajectory, problem: Problem) -> str:
    """A caption of a test trajectory: its text, or its parameters."""
    words = batch.text[0] if batch.text else ""
    if not words and batch.params is not None:
        words = ", ".join(f"{name} {float(v):.4g}" for name, v in zip(problem.params, batch.params[0], strict=True))
    return f"test trajectory {number}" + f": {words}" * bool(words)


def _asked(model: Text2PDE) -> list[str]:
    """Parameters that a prompt needs."""
    return list(model.problem.params) if "params" in model.condition else []


def _plane(u: Tensor, problem: Problem, mask: Tensor | None) -> Tensor:
    """The plane that is shown, "time field x y" (or x), NaN where a field does not exist."""
    if mask is not None:
        u = torch.where(mask > 0, u, torch.nan)
    return u[..., problem.grid.shape[2] // 2] if problem.ndim == 3 else u


def _scale(u: Tensor) -> dict[str, Any]:
    value, _ = scales(u.numpy())
    return {"low": value.low, "high": value.high, "map": "diverging" if value.low == -value.high else "sequential"}


def _packed(values: Tensor) -> str:
    return base64.b64encode(values.float().numpy().astype("<f4").tobytes()).decode()


def _numbers(values: Tensor) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]


def _hex(colours: np.ndarray) -> str:
    return colours.astype(np.uint8).tobytes().hex()


def prompt_of(request: Mapping[str, Any]) -> Prompt:
    """Return the prompt of a request of the page.

    Raises:
        ValueError: on values of another kind.
    """
    text, params = request.get("prompt"), request.get("params") or {}
    if not (text is None or isinstance(text, str)) or not isinstance(params, Mapping):
        raise ValueError(f"expected a text or parameters, got {text!r} and {params!r}; correct the request")
    numbers = {str(name): of_type(value, float, f"params.{name}") for name, value in params.items()}
    guidance = of_type(request.get("guidance"), float | None, "guidance")
    calls = of_type(request.get("calls"), int | None, "calls")
    seed = check_seed(request.get("seed", 0))
    return Prompt(text or None, numbers, 1, seed, guidance, calls, request.get("anyway") is True)
