"""Frames in which the reference is zero to rounding, or constant, or has empty shells: no relative error is defined."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from pdekit.fields import Field, Grid, Problem
from pdekit.metrics.catalogue import CATALOGUE, SHELL
from pdekit.metrics.incompressible import divergence
from pdekit.report.summary import sentence, summarise
from pdekit.simulators.check import errors_by_field, lowest_correlation
from tests.evaluation.scoring import evaluate
from tests.evaluation.waves import DT, PROBLEM, Shift, Waves

QUIET = 6  # the frame of the source at which the velocity of the wave is rounding
RELATIVE = [m.name for m in CATALOGUE if not m.unit_power and m.dims != SHELL and m.suits(PROBLEM)]


class Standing(Waves):
    """Two standing waves; in one frame one of them, or both, are 1e-13 of what they are before."""

    def __init__(self, quiet=(1.0, 1e-13)):
        super().__init__()
        self.quiet = torch.tensor(quiet, dtype=torch.float64)

    def read(self, trajectory, frames):
        found = super().read(trajectory, frames)
        n = ((found.t[0] - 3.0) / DT).round()
        x = PROBLEM.grid.coordinates(0)
        shape = torch.stack([torch.sin(x), torch.cos(2 * x)])
        noise = torch.randn(2, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        quiet = self.quiet[:, None]
        frame = torch.where((n == QUIET)[:, None, None] & (quiet < 1), quiet * noise, shape)
        return dataclasses.replace(found, u=frame[None].float())


class Still(Shift):
    """The given frame, and a little more; it may diverge."""

    def __init__(self, added=0.01):
        super().__init__(PROBLEM)
        self.added = added

    def step(self, frames, given, noise):
        return frames[:, -1] + self.added


def scored(folder, source, added=0.01, **options):
    measures = [measure for measure in CATALOGUE if measure.suits(PROBLEM)]
    return evaluate({"model": Still(added)}, source, folder, measures=measures, timing_batches=(), **options)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with scored(tmp_path_factory.mktemp("scores"), Standing(), batch_size=2) as data:
        yield data


def test_no_relative_error_where_one_field_vanishes(found):
    """The velocity of a standing wave at a half period has an nRMSE of 1e13, and a correlation of rounding."""
    at = QUIET - 1
    for name in RELATIVE:
        values = found[name].isel(model=0, member=0)
        assert np.isnan(values.isel(time=at).sel(field="v")).all(), name
        assert np.isfinite(values.isel(time=at).sel(field="u")).all(), name
        assert np.isfinite(values.drop_isel(time=at)).all(), name
    assert float(found.nrmse.max()) < 1 and np.isfinite(found.rmse).all()
    counts = {"frames": 5 * 12, "zero": {"u": 0, "v": 5}, "constant": {"u": 0, "v": 0}}
    assert json.loads(found.attrs["undefined"]) == counts
    said = sentence(summarise(found), found)
    assert "The reference vanishes for v in 5 of 60 frames: relative errors are not defined" in said


class Decaying(Waves):
    """Both fields are 1e-3 of what they were in the frame before; stored in one of the two precisions."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def read(self, trajectory, frames):
        found = super().read(trajectory, frames)
        n = ((found.t[0] - 3.0) / DT).round()
        shape = torch.sin(PROBLEM.grid.coordinates(0)).expand(2, -1)
        return dataclasses.replace(found, u=(1e-3 ** n.double()[:, None, None] * shape)[None].to(self.kind))


def test_the_threshold_is_that_of_the_numbers_that_are_stored(tmp_path):
    """1e-6 of the largest value is rounding in float32 and exact in float64; 1e-15 is rounding in both."""
    for kind, n_known in ((torch.float32, 1), (torch.float64, 4)):
        with scored(tmp_path / str(kind), Decaying(kind), horizon=6) as found:
            known = np.isfinite(found.nrmse.isel(model=0, member=0, sample=0, field=0).values)
            assert known.tolist() == [n < n_known for n in range(6)], kind


def test_times_pass_over_frames_in_which_all_fields_vanish(tmp_path):
    with scored(tmp_path, Standing((1e-13, 1e-13)), added=1e-3) as found:
        assert np.isnan(found.nrmse.isel(time=QUIET - 1)).all()
        assert (found.correlation_time_censored == 1).all() and (found.blow_up_time_censored == 1).all()
        assert (found.stable_steps == 12).all()
        summary = summarise(found)
        (row,) = (row for row in summary.rows if row.name == "model")
        assert row.diverged == 0 and row.errors[summary.compared].median < 1


def test_a_divergence_is_not_hidden(tmp_path):
    with scored(tmp_path, Standing(), added=float("inf")) as found:
        assert np.isposinf(found.nrmse).all() and np.isneginf(found.correlation).all()


def test_empty_shells_have_no_coherence(found):
    one = found.isel(model=0, member=0, sample=0, time=0)
    for name in ("coherence", "spectral_nrmse"):
        known = np.isfinite(one[name].values)
        assert known[0].tolist() == [k == 1 for k in range(9)] and known[1].tolist() == [k == 2 for k in range(9)]


def test_a_self_check_passes_over_a_frame_of_rounding():
    """Of the error by field, of its deviation, and of the correlation, of a velocity that vanishes in one frame."""
    u = torch.sin(PROBLEM.grid.coordinates(0)) * torch.tensor([1.0, 0.5, 1e-14, -0.5])[:, None]
    u = u[None, :, None]
    one = u + 1e-14 * torch.randn(1, 4, 1, 16, dtype=torch.float64)
    for errors in errors_by_field(one, u, PROBLEM.fields[:1])["u"]:
        assert errors.max() < 1e-9
    assert lowest_correlation(one, u, PROBLEM.fields[:1]).min() > 0.99


def test_the_divergence_of_a_uniform_flow_is_no_rounding():
    fields = (Field("u", vector="velocity"), Field("v", vector="velocity"))
    problem = Problem(Grid((16, 16), (1.0, 1.0)), fields, dt=1.0, n_frames=2)
    u = 1 + 1e-7 * torch.rand(1, 1, 2, 16, 16)
    assert float(divergence(u, problem)) == 0
