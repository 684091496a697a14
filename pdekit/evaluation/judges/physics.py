"""Residual, divergence and conserved integrals of each frame, for each model and for the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pdekit.calculus.projections import vectors
from pdekit.evaluation.archive import Archive
from pdekit.evaluation.judges.base import Batch, ForecastBlock, Judge, ReferenceBlock, Setup
from pdekit.fields import Problem
from pdekit.metrics.boundary import EndInputs, boundary_violation, known_ends, named_forcing
from pdekit.metrics.budgets import budgets, budgets_hold, imbalance
from pdekit.metrics.flows import Cascade, cascade, is_flow
from pdekit.metrics.incompressible import divergence
from pdekit.metrics.physics import has_residual, kept_integrals, places_of, residual
from pdekit.metrics.spectra import wavenumbers

OF_FRAMES = {
    "integral_value": "integral_reference",
    "divergence": "divergence_floor",
    "boundary_violation": "boundary_violation_floor",
    "budget_rate": "budget_rate_reference",
}
OF_NEIGHBOURS = {
    "residual_norm": "residual_floor",
    "residual_place": "residual_place_floor",
    "budget_imbalance": "budget_imbalance_floor",
}
OF_SHELLS = ("kinetic_energy_spectrum", "enstrophy_spectrum", "energy_flux", "enstrophy_flux")
"""Names of the scores of a model, and of the same scores of the reference."""

SQUARES = ("integral_value", "budget_rate", "budget_imbalance")
"""Scores that grow as the square of a field or faster: the square of 1e20 overflows float32."""

EXTRA = {
    "integral_value": "integral",
    "divergence": "vector",
    "boundary_violation": "field",
    "budget_rate": "term",
    "residual_place": "place",
    "budget_imbalance": "quantity",
}
"""Dimensions in addition to the time."""

FLOW_FRAMES = 16
"""Frames of the second half of the horizon over which fluxes are averaged: they cost more than all else."""


class Physics(Judge):
    """Writes what the equation says of the first member of every surrogate, and of the reference.

    What is not defined for a problem is not there. A time derivative needs a frame on either side, the last given one
    being the first of them: the last frame of the horizon has none (NaN).
    """

    def __init__(self, setup: Setup):
        self.setup, self.problem = setup, setup.problem
        self.rows = {row for row, contender in enumerate(setup.contenders) if contender.kind == "surrogate"}
        self.names_along = self.coords(self.problem)
        self.residuals = has_residual(self.problem)
        flows, horizon = is_flow(self.problem) and setup.horizon > 1, setup.horizon
        of_flow = np.linspace(horizon // 2, horizon - 1, FLOW_FRAMES if flows else 0)
        self.flow_frames = np.unique(of_flow.round())
        self.names = [
            name for name in (*OF_FRAMES, *OF_NEIGHBOURS)
            if (name not in EXTRA or EXTRA[name] in self.names_along or EXTRA[name] == "field")
            and (self.residuals or name not in ("residual_norm", "residual_place"))
            and (name != "boundary_violation" or known_ends(self.problem))
        ]  # fmt: skip

    def declare(self, archive: Archive) -> None:
        self.archive, unit = archive, self.setup.units
        for name, values in self.names_along.items():
            archive.coordinate(name, values)
        units = {"boundary_violation": unit, "divergence": "1"} | dict.fromkeys(
            ("residual_norm", "residual_place"), f"{unit} / time"
        )
        for name in self.names:
            dims = ("sample", "time", *((EXTRA[name],) if name in EXTRA else ()))
            attrs = {"units": units[name]} if name in units else {}
            kind = "f8" if name in SQUARES else "f4"
            archive.declare(name, ("model", *dims), attrs, kind=kind)
            other = (OF_FRAMES | OF_NEIGHBOURS)[name]
            archive.declare(other, dims, attrs | {"long_name": "of the reference"}, kind=kind)
        if self.residuals:
            attrs = {"units": units["residual_norm"], "long_name": "size of the reference's time derivative"}
            archive.declare("residual_scale", ("sample", "time"), attrs)
        if "budget_imbalance" in self.names:
            attrs = {"long_name": "sizes of all rates of the reference, added"}
            archive.declare("budget_imbalance_scale", ("sample", "time", "quantity"), attrs, kind="f8")
        if len(self.flow_frames):
            archive.coordinate("shell", wavenumbers(self.problem.box).numpy())
            for name in OF_SHELLS:
                words = {"long_name": f"{name.replace('_', ' ')}, averaged over time"}
                archive.declare(name, ("model", "sample", "shell"), words, kind="f8")
                words = {"long_name": "of the reference"}
                archive.declare(f"{name}_reference", ("sample", "shell"), words, kind="f8")

    @staticmethod
    def coords(problem: Problem) -> dict[str, Any]:
        """Names along the dimensions of what is defined for a problem."""
        found: dict[str, list[str]] = {"vector": list(vectors(problem))}
        if has_residual(problem):
            any_state = torch.ones(1, 1, problem.n_channels, *problem.grid.shape)
            params = torch.ones(1, len(problem.params)) if problem.params else None
            found["integral"] = list(kept_integrals(any_state, problem, params))
            found["place"] = list(places_of(problem))
            if budgets_hold(problem):
                balance = budgets(any_state, problem, params)
                found["quantity"] = list(balance)
                found["term"] = [f"{name} {term}" for name, (_, rates) in balance.items() for term in rates]
        return {name: values for name, values in found.items() if values}

    def begin(self, batch: Batch) -> None:
        """Take in the last frame that is given, the params and the mask."""
        given = batch.given
        self.samples, self.params, self.mask, self.before = batch.rows, given.params, batch.mask, given.u[:, -1:]
        self.batch = batch
        self.tails: dict[int, Tensor] = {}
        self.sums: dict[int, list[Tensor]] = {}

    def reference(self, block: ReferenceBlock) -> None:
        self._score(-1, block.frames.start, block.u)

    def forecast(self, row: int, member: int, block: ForecastBlock) -> None:
        """Score the first member of a surrogate."""
        if row in self.rows and member == 0:
            self._score(row, block.frames.start, block.u)

    def finish(self) -> None:
        """Write what is averaged over the frames of a batch."""
        for row, sums in self.sums.items():
            for name, total in zip(OF_SHELLS, sums, strict=True):
                mean = total / len(self.flow_frames)
                self._put(name if row >= 0 else f"{name}_reference", row, (self.samples,), mean)

    def _score(self, row: int, start: int, u: Tensor) -> None:
        """Score frames of a model, or of the reference (row -1), from frame ``start`` on."""
        if not self.names and not len(self.flow_frames):
            return
        tail = (self.before if start == 0 else self.tails[row]).to(u)
        joined = torch.cat([tail, u], 1)
        self.tails[row] = joined[:, -2:]
        inner = slice(start - tail.shape[1] + 1, start + u.shape[1] - 1)
        of_frames, of_neighbours = self._measure(joined, tail.shape[1], inner.stop > inner.start)
        if "boundary_violation" in self.names:
            inputs = self._end_inputs(slice(start, start + u.shape[1]), u.device)
            of_frames["boundary_violation"] = boundary_violation(u, self.problem, inputs)
        for name, values in of_frames.items():
            where = (self.samples, slice(start, start + u.shape[1]))
            self._put(name if row >= 0 else OF_FRAMES[name], row, where, values)
        for name, values in of_neighbours.items():
            if row < 0 or not name.endswith("_scale"):
                self._put(name if row >= 0 else OF_NEIGHBOURS.get(name, name), row, (self.samples, inner), values)
        self._add_flow(row, start, u)

    def _end_inputs(self, frames: slice, device: torch.device) -> EndInputs:
        """Return the inputs of the conditions at the ends for some of the frames to forecast."""
        coeffs, forcing = self.batch.given.coeffs, None
        if named_forcing(self.problem):
            history = self.setup.history
            forcing = self.batch.forcing(slice(history + frames.start, history + frames.stop))
        return EndInputs(
            self.batch.t[:, frames].to(device),
            None if coeffs is None else coeffs.to(device),
            None if forcing is None else forcing.to(device),
        )

    def _measure(self, joined: Tensor, known: int, has_inner: bool) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Measure each frame after the first `known` ones, and (residuals) each frame between two others."""
        params = None if self.params is None else self.params.to(joined.device)
        mask = None if self.mask is None else self.mask.to(joined.device)
        u = joined[:, known:]
        one: dict[str, Tensor] = {}
        two: dict[str, Tensor] = {}
        if "integral_value" in self.names:
            values = kept_integrals(u, self.problem, params)
            one["integral_value"] = torch.stack([values[name] for name in self.names_along["integral"]], -1)
        if "divergence" in self.names:
            one["divergence"] = divergence(u, self.problem, params)
        if self.residuals and has_inner:
            left = residual(joined, self.problem, params, mask)
            two |= {"residual_norm": left.norm, "residual_scale": left.scale}
            if left.places:
                two["residual_place"] = torch.stack(list(left.places.values()), -1)
        if "budget_rate" in self.names:
            dt, balance = self.problem.at(params)[2], budgets(joined, self.problem, params)
            rates = [rate[:, known:] for _, rates in balance.values() for rate in rates.values()]
            one["budget_rate"] = torch.stack(rates, -1)
            if has_inner:
                wrong, scale = zip(*(imbalance(stored, rates, dt) for stored, rates in balance.values()), strict=True)
                two["budget_imbalance"] = torch.stack(wrong, -1).abs()
                two["budget_imbalance_scale"] = torch.stack(scale, -1)
        return one, two

    def _add_flow(self, row: int, start: int, piece: Tensor) -> None:
        for n in (int(n) - start for n in self.flow_frames if start <= n < start + piece.shape[1]):
            # one frame at a time: products on a finer grid, in float64, are the largest tensors of an evaluation
            values = _of_shells(cascade(piece[:, n : n + 1], self.problem))
            sums = self.sums.get(row, [torch.zeros(())] * len(values))
            self.sums[row] = [total + value.sum(1).cpu() for total, value in zip(sums, values, strict=True)]

    def _put(self, name: str, row: int, where: tuple[slice, ...], values: Tensor) -> None:
        self.archive.write(name, where if row < 0 else (row, *where), values)


def _of_shells(found: Cascade) -> tuple[Tensor, ...]:
    return found.energy, found.enstrophy, found.energy_flux, found.enstrophy_flux
