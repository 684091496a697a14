"""Field measures that are taken block by block, and written in stretches of whole blocks."""

import numpy as np
import pytest
import torch

from pdekit.evaluation.archive import Archive
from pdekit.evaluation.forecasting import unforced
from pdekit.evaluation.judges import fields as judged
from pdekit.evaluation.judges.base import Batch, ForecastBlock, ReferenceBlock, Setup
from pdekit.evaluation.judges.fields import Fields
from pdekit.evaluation.setup import Context, Models, Sampling, Scoring
from pdekit.fields import Field, Grid, Problem, Trajectory
from pdekit.metrics.catalogue import CATALOGUE, SHELL
from pdekit.metrics.sums import FieldSums, Sums

SAMPLES, FRAMES, BLOCK = 2, 10, 2
GRIDS = {"periodic": Grid((6, 8), (1.0, 2.0)), "bounded": Grid((5, 6), (1.0, 1.0), layout=("cells", "nodes"))}


class Counted(Archive):
    """Knows which frames were written of a variable, call by call."""

    def __init__(self, *given):
        self.frames = {}
        super().__init__(*given)

    def write(self, name, where, values):
        self.frames.setdefault((name, where[:-2]), []).append((where[-1].start, where[-1].stop))
        super().write(name, where, values)


def setup_of(problem, batch_size, block, measures=CATALOGUE):
    lead = np.arange(problem.n_frames)
    groups = Models({}), Sampling(), Scoring(measures=measures), Context()
    return Setup(problem, (), lead, SAMPLES, 1, batch_size, block, *groups)


def batch_of(rows, reference):
    t = torch.arange(reference.shape[1], dtype=torch.float64).expand(len(reference), -1)
    given, numbers = Trajectory(u=reference[:, :1], t=t[:, :1]), tuple(range(rows.start, rows.stop))
    return Batch(rows, True, numbers, (0,) * len(numbers), given, t, t, None, unforced)


def scored(path, problem, fields, n_blocks, monkeypatch):
    """All scores of two models, the second with two members, and the frames of each call."""
    monkeypatch.setattr(judged, "VALUES", 2 * n_blocks * BLOCK * SAMPLES * 2 * judged.FEWEST_SHELLS)
    reference, forecasts = fields
    measures = [measure for measure in CATALOGUE if measure.suits(problem)]
    sizes = {"model": 2, "member": 2, "sample": SAMPLES, "time": FRAMES, "field": 2}
    rows = slice(0, SAMPLES)
    with Counted(path, {name: np.arange(size) for name, size in sizes.items()}, {}) as archive:
        judge = Fields(setup_of(problem, SAMPLES, BLOCK))
        judge.declare(archive)
        judge.begin(batch_of(rows, reference))
        for start in range(0, FRAMES, BLOCK):
            frames = slice(start, start + BLOCK)
            known = Sums(reference[:, frames], problem)
            judge.reference(ReferenceBlock(rows, frames, known))
            for (row, member), u in forecasts.items():
                judge.forecast(row, member, ForecastBlock(rows, frames, FieldSums(u[:, frames], known)))
        judge.finish()
        found = {name: archive.read(name) for name in [m.name for m in measures] + ["energy_spectrum_reference"]}
    return found, archive.frames


@pytest.mark.parametrize("name", GRIDS)
def test_stretches_change_nothing(name, tmp_path, monkeypatch):
    problem = Problem(GRIDS[name], (Field("a"), Field("b")), dt=1.0, n_frames=FRAMES)
    reference = torch.randn(SAMPLES, FRAMES, 2, *problem.grid.shape)
    forecasts = {place: reference + 0.1 * torch.randn_like(reference) for place in ((0, 0), (1, 0), (1, 1))}
    fields = reference, forecasts
    every_block, calls = scored(tmp_path / "a.nc", problem, fields, 0, monkeypatch)
    assert set(map(tuple, calls.values())) == {((0, 2), (2, 4), (4, 6), (6, 8), (8, 10))}
    in_stretches, calls = scored(tmp_path / "b.nc", problem, fields, 2, monkeypatch)
    assert set(map(tuple, calls.values())) == {((0, 4), (4, 8), (8, 10))}, "whole blocks, and what is left"
    for measure in CATALOGUE:
        if measure.suits(problem):
            values = every_block[measure.name]
            np.testing.assert_allclose(in_stretches[measure.name], values, rtol=1e-5, atol=1e-6)
            relative_shells = measure.dims == SHELL and not measure.unit_power
            empty = Sums(reference, problem).power < 1e-20 if relative_shells else torch.zeros(())
            assert np.isnan(values[0, 1]).all() and (np.isnan(values[1, 1]) == empty.bool().numpy()).all()
            for (row, member), u in forecasts.items():
                expected = torch.where(empty.bool(), torch.nan, measure.function(u, reference, problem))
                np.testing.assert_allclose(values[row, member], expected, rtol=1e-4, atol=1e-6)
    expected = Sums(reference, problem).power / 2
    np.testing.assert_allclose(in_stretches["energy_spectrum_reference"], expected, rtol=1e-5)


def test_batches_do_not_mix(tmp_path):
    problem = Problem(GRIDS["periodic"], (Field("a"), Field("b")), dt=1.0, n_frames=1)
    measures = [measure for measure in CATALOGUE if measure.name == "rmse"]
    sizes = {"model": 1, "member": 1, "sample": 4, "time": 1, "field": 2}
    with Archive(tmp_path / "a.nc", {name: np.arange(size) for name, size in sizes.items()}, {}) as archive:
        judge, reference = Fields(setup_of(problem, 2, 1, measures)), torch.zeros(2, 1, 2, 6, 8)
        judge.declare(archive)
        known = Sums(reference, problem)
        for number in range(2):
            rows, frames = slice(2 * number, 2 * number + 2), slice(0, 1)
            judge.begin(batch_of(rows, reference))
            judge.reference(ReferenceBlock(rows, frames, known))
            sums = FieldSums(torch.full((2, 1, 2, 6, 8), 1.0 + number), known)
            judge.forecast(0, 0, ForecastBlock(rows, frames, sums))
            judge.finish()
        np.testing.assert_allclose(archive.read("rmse")[0, 0, :, 0, 0], [1, 1, 2, 2])


def test_what_is_kept_is_bounded_whatever_the_grid():
    for shape, batch, block in (((64,), 1, 1), ((4096,), 16, 3), ((128, 128), 16, 4), ((32, 32, 32), 2, 8)):
        problem = Problem(Grid(shape, (1.0,) * len(shape)), (Field("a"), Field("b")), dt=1.0, n_frames=1)
        n_shells = Sums(torch.zeros(1, 1, 2, *shape), problem).power.shape[-1]
        stretch = judged.stretch_of(problem, batch, block, spectral=True)
        assert stretch % block == 0 and 2 * batch * stretch * n_shells <= judged.VALUES
        assert judged.stretch_of(problem, batch, block, spectral=False) >= stretch
