"""Field measures of all models, block by block; the values of many frames are written together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pdekit.evaluation.archive import Archive
from pdekit.fields import Problem
from pdekit.metrics.catalogue import FRAME, SHELL, Measure
from pdekit.metrics.quadrature import joint
from pdekit.metrics.spectra import wavenumbers
from pdekit.metrics.sums import FieldSums, Sums

VALUES = 2**18
"""Room for one spectrum of each frame that is held of a member, in numbers of float32."""

FEWEST_SHELLS = 64
"""Values that a field counts as at least."""


def stretch_of(problem: Problem, batch_size: int, block: int, spectral: bool) -> int:
    """Frames whose measures are written together: whole blocks."""
    n_shells = max(FEWEST_SHELLS, len(wavenumbers(problem.grid)) if spectral else 0)
    numbers = 2 * n_shells * batch_size * block * problem.n_channels  # a float64 takes the room of two
    return block * max(1, VALUES // numbers)


class Scorer:
    """Writes field measures, and the spectrum of the reference, into an archive of scores.

    Args:
        archive: of scores.
        measures: those that suit the problem.
        problem: of all models.
        batch_size: samples that are forecast together.
        block: frames of a block.
    """

    def __init__(self, archive: Archive, measures: Sequence[Measure], problem: Problem, batch_size: int, block: int):
        self.archive, self.measures = archive, measures
        self.spectral = any(measure.whole_box for measure in measures)
        self.stretch = stretch_of(problem, batch_size, block, self.spectral)
        units = " ".join(dict.fromkeys(field.unit for field in problem.fields))
        together = batch_size, self.stretch
        self.kinds = {"rms_reference": "f4", "energy_spectrum_reference": kind_of(2)}
        for measure in measures:
            power = measure.unit_power
            attrs = {"units": "1" if not power else units if power == 1 else f"({units})^{power}"}
            self.kinds[measure.name] = kind_of(power)
            archive.declare(measure.name, ("model", *measure.dims), attrs, together, kind_of(power))
        words = {"units": units, "long_name": "RMS of the reference, jointly for each group of fields"}
        archive.declare("rms_reference", FRAME[1:], words, together)
        if self.spectral:
            archive.declare("energy_spectrum_reference", SHELL[1:], {"units": f"({units})^2"}, together, kind_of(2))
        self.begin(slice(0))

    def begin(self, samples: slice) -> None:
        """Turn to a batch; ``samples`` are its places in the archive."""
        self.samples, self.frames = samples, slice(0, 0)
        self._held: dict[tuple[str, tuple[int, ...]], list[Tensor]] = {}

    def follow(self, reference: Sums) -> None:
        """Take in the next frames of the reference."""
        self._hold("rms_reference", (), joint(reference.square, reference.problem).sqrt())
        if self.spectral:
            self._hold("energy_spectrum_reference", (), reference.power / 2)

    def score(self, row: int, member: int, sums: FieldSums) -> None:
        """Take in the next frames of a member of a model."""
        for measure in self.measures:
            self._hold(measure.name, (row, member), defined(measure, sums))

    def advance(self, stop: int, last: bool) -> None:
        """All models have come to frame ``stop``: write what is due, or all if it is the last."""
        self.frames = slice(self.frames.start, stop)
        if stop - self.frames.start < self.stretch and not last:
            return
        for (name, place), values in self._held.items():
            whole = torch.cat(values, 1).cpu().numpy()
            with np.errstate(over="ignore"):  # beyond the numbers of a file a measure is as good as infinite
                self.archive.write(name, (*place, self.samples, self.frames), whole.astype(self.kinds[name]))
        self.begin(self.samples)
        self.frames = slice(stop, stop)

    def _hold(self, name: str, place: tuple[int, ...], values: Tensor) -> None:
        self._held.setdefault((name, place), []).append(values)


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
