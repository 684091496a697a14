"""Sweeps: what is found a few frames at a time is what is found of all of them, and to the same accuracy."""

import math

import pytest
import torch

from pdekit.fields import Field, Grid, Problem
from pdekit.metrics import shells, sweep
from pdekit.metrics.catalogue import CATALOGUE
from pdekit.metrics.pair import Known
from pdekit.metrics.sweep import Spectra

GRIDS = [Grid((6, 8), (1.0, 2.0)), Grid((9,), (2.0,), layout=("nodes",))]
FIELDS = (Field("density"), Field("u_x", vector="velocity"), Field("u_y", vector="velocity"))


def fields_on(grid, dtype=torch.float64):
    reference = torch.randn(2, 7, len(FIELDS), *grid.shape, dtype=dtype)
    return reference + 0.3 * torch.randn(3, *reference.shape, dtype=dtype), reference


@pytest.mark.parametrize("grid", GRIDS, ids=lambda g: f"{g.shape}")
def test_the_size_of_the_pieces_changes_nothing(grid, monkeypatch):
    problem, (u, reference) = Problem(grid, FIELDS, dt=0.1, n_frames=7), fields_on(grid)
    suitable = [measure for measure in CATALOGUE if measure.suits(problem)]
    whole = [measure.function(u, reference, problem) for measure in suitable]
    monkeypatch.setattr(sweep, "VALUES", 18 * math.prod(grid.shape))
    assert [rows.start for rows in Spectra(reference, problem).parts] == [0, 18, 36], "of 42 rows"
    for measure, expected in zip(suitable, whole, strict=True):
        torch.testing.assert_close(measure.function(u, reference, problem), expected, rtol=1e-12, atol=1e-13)


def test_every_frame_is_transformed_once_for_each_field(monkeypatch):
    problem, (u, reference) = Problem(GRIDS[0], FIELDS, dt=0.1, n_frames=7), fields_on(GRIDS[0])
    monkeypatch.setattr(sweep, "VALUES", 12 * 48)
    rows, transform = [], shells.Shells.transform
    monkeypatch.setattr(shells.Shells, "transform", lambda self, u: rows.append(len(u)) or transform(self, u))
    known = Known(reference, problem)
    for forecast in u:
        beside = known.beside(forecast)
        for measure in CATALOGUE:
            if measure.suits(problem):
                measure.of_pair(beside)
    assert sum(rows) == reference[..., 0, 0].numel() * (1 + len(u)) and max(rows) == 12


def test_sums_are_those_of_their_definitions():
    problem, (u, reference) = Problem(GRIDS[0], FIELDS, dt=0.1, n_frames=7), fields_on(GRIDS[0])
    error, forecast = Spectra(reference, problem).beside(u)
    e, space = u - reference, (-2, -1)
    torch.testing.assert_close(error.power.sum(-1), e.square().mean(space))
    torch.testing.assert_close(forecast.power.sum(-1), u.square().mean(space))
    torch.testing.assert_close(error.mean, e.mean(space))
    torch.testing.assert_close(forecast.mean, u.mean(space))
    torch.testing.assert_close(error.absolute, e.abs().mean(space))
    torch.testing.assert_close(error.largest, e.abs().amax(space))


def test_a_tiny_error_keeps_its_digits():
    """A difference of spectra would have an error of 1e-7 of the field's 1e3, a hundred times this one's size."""
    problem = Problem(GRIDS[0], FIELDS, dt=0.1, n_frames=7)
    reference = torch.randint(1000, 1100, (2, 7, 3, *GRIDS[0].shape)).float()
    error = 2.0**-13 * torch.randint(-1, 2, reference.shape)  # the sum has no rounding
    found, _ = Spectra(reference, problem).beside(reference + error)
    exact, _ = Spectra(reference.double(), problem).beside(reference.double() + error.double())
    torch.testing.assert_close(found.power.double(), exact.power, rtol=1e-5, atol=1e-14)
