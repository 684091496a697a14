"""Field measures of all models, block by block; the values of many frames are written together."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from pdekit.evaluation.archive import Archive
from pdekit.evaluation.judges.base import Batch, ForecastBlock, Judge, ReferenceBlock, Setup
from pdekit.evaluation.judges.reference_size import ReferenceSize
from pdekit.fields import Problem
from pdekit.metrics.catalogue import FRAME, SHELL, Measure
from pdekit.metrics.quadrature import joint
from pdekit.metrics.spectra import rounding_power, wavenumbers
from pdekit.metrics.sums import FieldSums
from pdekit.plain import to_json

VALUES = 2**18
"""Room for one spectrum of each frame that is held of a member, in numbers of float32."""

FEWEST_SHELLS = 64
"""Values that a field counts as at least."""


def stretch_of(problem: Problem, batch_size: int, block: int, spectral: bool) -> int:
    """Frames whose measures are written together: whole blocks."""
    n_shells = max(FEWEST_SHELLS, len(wavenumbers(problem.box)) if spectral else 0)
    numbers = 2 * n_shells * batch_size * block * problem.n_channels  # a float64 takes the room of two
    return block * max(1, VALUES // numbers)


class Fields(Judge):
    """Writes field measures, and the size and spectrum of the reference.

    A relative measure is not defined where the reference vanishes (`pdekit.metrics.vanishing`): NaN, once all frames
    of a batch are known. The attribute ``undefined`` (JSON) holds the numbers of such frames and of those in which the
    reference is constant in space, by field, and that of all frames.
    """

    def __init__(self, setup: Setup):
        problem = setup.problem
        self.setup = setup
        self.measures = [m for m in setup.scoring.measures if m.suits(problem, masked=problem.has_mask)]
        self.spectral = any(measure.whole_box for measure in self.measures)
        self.stretch = stretch_of(problem, setup.batch_size, setup.block, self.spectral)
        self.size = ReferenceSize(problem)
        self.counts = np.zeros((2, problem.n_channels), dtype=int)

    def declare(self, archive: Archive) -> None:
        self.archive, units = archive, self.setup.units
        together = self.setup.batch_size, self.stretch
        if self.spectral:
            archive.coordinate("shell", wavenumbers(self.setup.problem.box).numpy())
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
        self.rows, self.first, self.stop, self.last = batch.rows, 0, 0, batch.last
        self.size.begin(batch)
        self.sound: dict[tuple[int, int], list[Tensor]] = {}
        self.flat: list[Tensor] = []
        self.held: dict[tuple[str, tuple[int, ...]], list[Tensor]] = {}

    def reference(self, block: ReferenceBlock) -> None:
        if self.stop - self.first >= self.stretch:
            self._write()
        self.stop = block.frames.stop
        self.size.add(block)
        self.flat.append(block.sums.flat.cpu())
        self._hold("rms_reference", (), self.size.last)
        if self.spectral:
            self._hold("energy_spectrum_reference", (), block.sums.power / 2)

    def forecast(self, row: int, member: int, block: ForecastBlock) -> None:
        for measure in self.measures:
            values = measure.of_sums(block.sums)
            self._hold(measure.name, (row, member), where_defined(values, measure, block.sums))
        self.sound.setdefault((row, member), []).append(finite(block.sums).cpu())

    def finish(self) -> None:
        """Write what is left of a batch, and NaN where a relative measure is not defined."""
        self._write()
        gone = self.size.vanished()
        constant = torch.cat(self.flat, 1) & ~gone & bool(self.setup.problem.grid.shape)
        self.counts += np.stack([where.sum((0, 1)).numpy() for where in (gone, constant)])
        frames = gone.any(-1).any(0).nonzero().flatten()
        if len(frames):
            self._undefine(gone, slice(int(frames[0]), int(frames[-1]) + 1))
        if self.last and self.counts.any():
            self.archive.say("undefined", to_json(self._numbers()))

    def _undefine(self, gone: Tensor, frames: slice) -> None:
        """Write NaN to the frames in which the reference vanishes and the forecast has not diverged."""
        for place, pieces in self.sound.items():
            hidden = (gone & torch.cat(pieces, 1))[:, frames].numpy()
            for measure in self.measures:
                if not measure.unit_power:
                    where = (*place, self.rows, frames)
                    values = self.archive.read(measure.name, where)
                    values[hidden] = math.nan
                    self.archive.write(measure.name, where, values)

    def _numbers(self) -> dict[str, object]:
        fields = [field.name for field in self.setup.problem.fields]
        zero, constant = (dict(zip(fields, counts.tolist(), strict=True)) for counts in self.counts)
        return {"frames": self.setup.n_samples * self.setup.horizon, "zero": zero, "constant": constant}

    def _write(self) -> None:
        """Write the values of all blocks that have come since the last time."""
        for (name, place), values in self.held.items():
            where: tuple[int | slice, ...] = (*place, self.rows, slice(self.first, self.stop))
            self.archive.write(name, where, torch.cat(values, 1))
        self.held, self.first = {}, self.stop

    def _hold(self, name: str, place: tuple[int, ...], values: Tensor) -> None:
        self.held.setdefault((name, place), []).append(values)


def where_defined(values: Tensor, measure: Measure, sums: FieldSums) -> Tensor:
    """Values of a measure, NaN for the fields and shells of which the reference has nothing in that frame.

    A relative error of a field that is zero, or for patterns constant, says nothing: it is +inf, or that of rounding,
    for every forecast but the reference. The same holds for shells that the reference leaves empty, to the rounding of
    its values. Only a forecast that has diverged keeps the value that says so.
    """
    reference = sums.reference
    if measure.unit_power:
        return values
    if measure.dims == SHELL:
        square = joint(reference.square, sums.problem)
        bare = sums.joint(reference.power, -2) <= rounding_power(square, reference.eps).unsqueeze(-1)
        bare = bare & finite(sums).unsqueeze(-1)
    else:
        bare = (reference.flat if measure.spatial else joint(reference.square, sums.problem) == 0) & finite(sums)
    return torch.where(bare, math.nan, values)


def finite(sums: FieldSums) -> Tensor:
    """True where a forecast has not diverged, "... batch time channel"."""
    return joint(sums.error.square, sums.problem).isfinite()


def kind_of(unit_power: int) -> str:
    """Numbers in which a measure is stored: squares of 1e20 are none of float32."""
    return "f4" if unit_power < 2 else "f8"
