"""Field measures of all models: sums over space are taken block by block, and the measures of many frames together.

A block has as few frames as memory and caches want. The calls that make measures of its sums, and those that write
them, cost as much for many frames as for one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pdekit.evaluation.archive import Archive
from pdekit.fields import Problem
from pdekit.metrics.catalogue import FRAME, SHELL, Measure
from pdekit.metrics.pair import Pair, Signal
from pdekit.metrics.spectra import wavenumbers

VALUES = 2**18
"""Room for one spectrum of each frame that is kept of a member, in numbers of float32: with all else 3 to 7 MiB."""

FEWEST_SHELLS = 64
"""Values that a field counts as at least."""


def stretch_of(problem: Problem, batch_size: int, block: int, spectral: bool) -> int:
    """Frames whose measures are taken together: whole blocks."""
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
        for measure in measures:
            power = measure.unit_power
            attrs = {"units": "1" if not power else units if power == 1 else f"({units})^{power}"}
            archive.declare(measure.name, ("model", *measure.dims), attrs, together, _kind(power))
        words = {"units": units, "long_name": "RMS of the reference, jointly for each group of fields"}
        archive.declare("rms_reference", FRAME[1:], words, together)
        if self.spectral:
            archive.declare("energy_spectrum_reference", SHELL[1:], {"units": f"({units})^2"}, together, _kind(2))
        self._asked: tuple[tuple[str, ...], ...] | None = None
        self.begin(slice(0))

    def begin(self, samples: slice) -> None:
        """Turn to a batch; ``samples`` are its places in the archive."""
        self.samples, self.frames = samples, slice(0, 0)
        self._reference: list[Signal] = []
        self._pairs: dict[tuple[int, int], list[Pair]] = {}

    def follow(self, reference: Signal) -> None:
        """Take in the next frames of the reference."""
        names = ("sums",) if self.spectral or reference.by_parseval else ()
        self._reference.append(Signal.joined([reference], (*names, "square_of_channels")))

    def score(self, row: int, member: int, pair: Pair) -> None:
        """Take in the next frames of a member of a model."""
        if self._asked is None:
            self._asked = pair.asked(functools.partial(defined, measure) for measure in self.measures)
        self._pairs.setdefault((row, member), []).append(pair.settled(self._asked))

    def advance(self, stop: int, last: bool) -> None:
        """All models have come to frame ``stop``: write what is due, or all if it is the last."""
        self.frames = slice(self.frames.start, stop)
        if stop - self.frames.start < self.stretch and not last:
            return
        if self._reference:
            self._write_reference(Signal.joined(self._reference))
        for place, pairs in self._pairs.items():
            pair = Pair.joined(pairs)
            for measure in self.measures:
                values = _numbers(defined(measure, pair), _kind(measure.unit_power))
                self.archive.write(measure.name, (*place, self.samples, self.frames), values)
        self.begin(self.samples)
        self.frames = slice(stop, stop)

    def _write_reference(self, reference: Signal) -> None:
        at = self.samples, self.frames
        self.archive.write("rms_reference", at, _numbers(reference.square.sqrt()))
        if self.spectral:
            self.archive.write("energy_spectrum_reference", at, _numbers(reference.power / 2, _kind(2)))


def defined(measure: Measure, pair: Pair) -> Tensor:
    """A measure of a pair, NaN for the fields that have no scale at a time at which another field has one.

    A relative error of a field that is zero, or for patterns constant, says nothing: +inf for every forecast but the
    reference. It does not make a forecast diverge whose values are finite, and takes no part in means over fields.
    Where no field has a scale the infinity stays.
    """
    values = measure.of_pair(pair)
    if measure.unit_power or measure.dims != FRAME or measure.worst != math.inf:
        return values
    bare = pair.known.flat if measure.spatial else pair.known.square == 0
    bare = (bare & pair.error.square.isfinite()).expand(values.shape)
    return torch.where(bare & ~bare.all(-1, keepdim=True), math.nan, values)


def _kind(unit_power: int) -> str:
    """Numbers in which a measure is stored: squares of 1e20 are none of float32."""
    return "f4" if unit_power < 2 else "f8"


def _numbers(values: Tensor, kind: str = "f4") -> np.ndarray:
    with np.errstate(over="ignore"):  # beyond the numbers of a file a measure is as good as infinite
        return values.cpu().numpy().astype(kind)
