"""Field measures of all models, block by block; the values of many frames are written together."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pdekit.evaluation.archive import Archive
from pdekit.evaluation.judges.base import Batch, ForecastBlock, Judge, ReferenceBlock, Setup
from pdekit.fields import Problem
from pdekit.metrics.catalogue import FRAME, SHELL, Measure
from pdekit.metrics.quadrature import joint
from pdekit.metrics.spectra import wavenumbers
from pdekit.metrics.sums import FieldSums

VALUES = 2**18
"""Room for one spectrum of each frame that is held of a member, in numbers of float32."""

FEWEST_SHELLS = 64
"""Values that a field counts as at least."""


def stretch_of(problem: Problem, batch_size: int, block: int, spectral: bool) -> int:
    """Frames whose measures are written together: whole blocks."""
    n_shells = max(FEWEST_SHELLS, len(wavenumbers(problem.grid)) if spectral else 0)
    numbers = 2 * n_shells * batch_size * block * problem.n_channels  # a float64 takes the room of two
    return block * max(1, VALUES // numbers)


class Fields(Judge):
    """Writes field measures, and the size and spectrum of the reference."""

    def __init__(self, setup: Setup):
        problem = setup.problem
        self.setup = setup
        self.measures = [m for m in setup.scoring.measures if m.suits(problem, masked=problem.has_mask)]
        self.spectral = any(measure.whole_box for measure in self.measures)
        self.stretch = stretch_of(problem, setup.batch_size, setup.block, self.spectral)

    def declare(self, archive: Archive) -> None:
        self.archive, units = archive, self.setup.units
        together = self.setup.batch_size, self.stretch
        if self.spectral:
            archive.coordinate("shell", wavenumbers(self.setup.problem.grid).numpy())
        for measure in self.measures:
            power = measure.unit_power
            attrs = {"units": "1" if not power else units if power == 1 else f"({units})^{power}", "unit_power": power}
            attrs |= {} if measure.perfect is None else {"perfect": measure.perfect}
            archive.declare(measure.name, ("model", *measure.dims), attrs, together, kind_of(power))
        words = {"units": units, "long_name": "RMS of the reference, jointly for each group of fields"}
        archive.declare("rms_reference", FRAME[1:], words, together)
        if self.spectral:
            attrs = {"units": f"({units})^2"}
            archive.declare("energy_spectrum_reference", SHELL[1:], attrs, together, kind_of(2))

    def begin(self, batch: Batch) -> None:
        self.rows, self.first, self.stop = batch.rows, 0, 0
        self.held: dict[tuple[str, tuple[int, ...]], list[Tensor]] = {}

    def reference(self, block: ReferenceBlock) -> None:
        if self.stop - self.first >= self.stretch:
            self.finish()
        self.stop = block.frames.stop
        self._hold("rms_reference", (), joint(block.sums.square, self.setup.problem).sqrt())
        if self.spectral:
            self._hold("energy_spectrum_reference", (), block.sums.power / 2)

    def forecast(self, row: int, member: int, block: ForecastBlock) -> None:
        for measure in self.measures:
            self._hold(measure.name, (row, member), defined(measure, block.sums))

    def finish(self) -> None:
        """Write the values of all blocks that have come since the last time."""
        for (name, place), values in self.held.items():
            where = (*place, self.rows, slice(self.first, self.stop))
            self.archive.write(name, where, torch.cat(values, 1))
        self.held, self.first = {}, self.stop

    def _hold(self, name: str, place: tuple[int, ...], values: Tensor) -> None:
        self.held.setdefault((name, place), []).append(values)


def defined(measure: Measure, sums: FieldSums) -> Tensor:
    """A measure of a block, NaN for the fields that have no scale at a time at which another field has one.

    A relative error of a field that is zero, or for patterns constant, says nothing: +inf for every forecast but the
    reference. It does not make a forecast diverge whose values are finite, and takes no part in means over fields.
    Where no field has a scale the infinity stays.
    """
    values = measure.of_sums(sums)
    if measure.unit_power or measure.dims != FRAME or measure.worst != math.inf:
        return values
    reference = sums.reference
    bare = reference.flat if measure.spatial else joint(reference.square, sums.problem) == 0
    bare = (bare & joint(sums.error.square, sums.problem).isfinite()).expand(values.shape)
    return torch.where(bare & ~bare.all(-1, keepdim=True), math.nan, values)


def kind_of(unit_power: int) -> str:
    """Numbers in which a measure is stored: squares of 1e20 are none of float32."""
    return "f4" if unit_power < 2 else "f8"
