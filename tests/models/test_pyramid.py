"""Resolutions of WDNO: the coarse trajectory and its details give the fine one; smooth fields have no details."""

import dataclasses
import math

import pytest
import torch

from pdekit.fields import Field, Grid
from pdekit.models.inputs import normalised
from pdekit.models.pyramid import Pyramid, Rung, with_midpoints
from pdekit.models.resolution import at_resolution
from pdekit.models.super_resolved import SuperResolved
from pdekit.models.wdno import WDNO
from tests.models.small import PointwiseNet, make_batch, make_problem
from tests.models.test_wdno import perfect_net

LINE = {"grid": Grid((16,), (2.0,)), "n_frames": 9}
KINDS = {
    "line": LINE,
    "nodes": {"grid": Grid((17,), (1.0,), layout=("nodes",)), "n_frames": 9},
    "plane, forcing": {
        "grid": Grid((8, 8), (1.0, 2.0)),
        "n_frames": 5,
        "forcing": (Field("f"),),
        "coeffs": (Field("c"),),
    },
    "steady": {"grid": Grid((16,), (1.0,)), "n_frames": 1, "dt": None, "coeffs": (Field("c"),)},
}


def made(problem, **options) -> WDNO:
    torch.manual_seed(3)
    model = WDNO(problem, PointwiseNet, **options).double()
    model.calibrate([make_batch(problem)])
    return model


@pytest.mark.parametrize("degree", range(4))
def test_cubics_are_interpolated_exactly(degree):
    x = torch.arange(7, dtype=torch.float64)
    fine = torch.arange(13, dtype=torch.float64) / 2
    torch.testing.assert_close(with_midpoints(x**degree, 0), fine**degree, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("space", "time"), [(True, False), (False, True), (True, True)])
def test_a_resolved_field_is_its_interpolation(space, time):
    """Modes that the coarse grid holds, and a cubic in time: nothing is left for the net to add."""
    problem = make_problem(**LINE)
    x = 2 * math.pi * torch.arange(16, dtype=torch.float64) / 16
    t = torch.arange(9, dtype=torch.float64)[:, None]
    u = torch.stack((torch.sin(3 * x) * t**3, torch.cos(x) + t), 1)[None]
    batch = dataclasses.replace(make_batch(problem, 1), u=u)
    fine, coarser = Pyramid(problem, 8, 1, 8).at(batch, Rung(0, 0, space, time))
    torch.testing.assert_close(coarser.frames, fine.u[:, 1:], rtol=0, atol=1e-11 * 512)


@pytest.mark.parametrize("kind", KINDS)
def test_a_perfect_net_gives_the_exact_details_at_every_resolution(kind):
    problem = make_problem(**KINDS[kind])
    model, batch = made(problem, resolutions=1), make_batch(problem)
    inner, history = normalised(batch, model.normaliser), model.history
    for rung in model.pyramid.rungs():
        fine, coarser = model.pyramid.at(inner, rung)
        left = model.frames(fine.u[:, history:] - coarser.frames)
        rms = left.square().mean([0, *range(2, left.ndim)]).sqrt()
        assert rung == Rung() or torch.allclose(rms, model.pyramid.rms_of(rung))
        clean = left / model.pyramid.rms_of(rung).reshape(-1, *[1] * (left.ndim - 2))
        model.net = perfect_net(model, clean)
        found = model.finer(fine.u[:, :history], fine, coarser, lambda like, call: torch.randn_like(like))
        torch.testing.assert_close(found, fine.u[:, history:], rtol=0, atol=1e-9)
        model.pyramid.draw = lambda space, rung=rung: rung
        assert model.loss(batch)[0].item() < 1e-20


def test_the_net_is_told_the_resolution_and_the_coarse_bands():
    problem = make_problem(**LINE)
    model, batch = made(problem, resolutions=2), make_batch(problem)
    inner = normalised(batch, model.normaliser)
    assert len(model.pyramid.rungs()) == 9 + 6 + 6 + 4
    model.pyramid.draw = lambda space: Rung(1, 0, True, False)
    model.loss(batch)
    seen, scalars = model.net.calls[-1]
    assert scalars[:, 1:].tolist() == [[0.5, 0.0, 1.0, 0.0]] * 3
    coarser = model.pyramid.at(inner, Rung(1, 0, True, False))[1]
    n = model.frames.n_channels
    assert seen.shape[2:] == (4, 4) and torch.equal(seen[:, n : 2 * n], model.frames(coarser.frames))


def test_draws_favour_the_grid_of_the_problem():
    pyramid = Pyramid(make_problem(**LINE), 8, 1, 8)
    torch.manual_seed(0)
    drawn = [pyramid.draw(0) for _ in range(1800)]
    shares = [drawn.count(rung) / 1800 for rung in pyramid.rungs()]
    assert pyramid.rungs()[0] == Rung()
    assert shares == pytest.approx([0.5 + 0.5 / 9] + [0.5 / 9] * 8, abs=0.03)
    assert {(rung.space, rung.from_space) for rung in (pyramid.draw(1) for _ in range(50))} == {(1, False)}


@pytest.mark.parametrize(("space", "time"), [(1, 0), (0, 1), (2, 1)])
def test_a_finer_forecast_is_the_coarse_one_and_details(space, time):
    """A net that says nothing leaves the interpolation, whose coarse frames are those of the coarse forecast."""
    problem = make_problem(**LINE)
    model = made(problem, resolutions=1)
    finer = SuperResolved(model, space, time)
    step, shape = problem.dt / 2**time, finer.problem.grid.shape
    assert shape == (16 << space,) and finer.problem.dt == step
    batch = make_batch(dataclasses.replace(problem, grid=finer.problem.grid))
    given = batch.frames(slice(0, 1))
    t = given.t + step * torch.arange(1, (16 << time) + 1, dtype=torch.float64)  # two blocks
    sampled = [finer.forecast(given, t, 2, torch.Generator().manual_seed(1)) for _ in range(2)]
    assert torch.equal(*sampled) and sampled[0].shape == (2, 3, 16 << time, 2, *shape)
    plain = SuperResolved(model, space, time, interpolate=True).forecast(given, t, 2, torch.Generator().manual_seed(1))
    assert not torch.allclose(plain, sampled[0])
    coarse = model.pyramid.coarsened(given, space, 0)
    wanted = model.forecast(coarse, t[:, 2**time - 1 :: 2**time], 2, torch.Generator().manual_seed(1))
    kept = plain[:, :, 2**time - 1 :: 2**time].flatten(1, 2)
    kept = model.pyramid.halved(kept, space) if space else kept
    torch.testing.assert_close(kept.unflatten(1, (3, -1)), wanted, rtol=0, atol=1e-10)


def test_details_beyond_the_training_are_scaled_by_the_ratio_of_its_finest_pairs():
    """sum of sin(3 2^n x) / 3^n: what each doubling adds has a third of the amplitude of the one before."""
    problem = make_problem(grid=Grid((32,), (1.0,)), n_frames=5, fields=(Field("a"),))
    generator = torch.Generator().manual_seed(0)
    x = 2 * math.pi * torch.arange(32, dtype=torch.float64) / 32
    phase = 2 * math.pi * torch.rand(64, 3, 1, dtype=torch.float64, generator=generator)
    n = torch.arange(3, dtype=torch.float64)[:, None]
    u = (torch.sin(3 * 2**n * x + phase) / 3**n).sum(1)
    batch = dataclasses.replace(make_batch(problem, 64), u=u[:, None, None].expand(-1, 5, -1, -1).contiguous())
    pyramid = Pyramid(problem, 4, 2, 1)
    pyramid.double().calibrate([batch], lambda u: u.movedim(1, 2))
    for space, expected in ((1, 3.0), (0, 1.0), (-1, 1 / 3), (-2, 1 / 9)):
        found = pyramid.rms_of(Rung(space, 0, True, False)).item() / (3.0**-2 / math.sqrt(2))
        assert found == pytest.approx(expected, rel=1e-6)
    single = Pyramid(problem, 4, 1, 1)
    single.double().calibrate([batch], lambda u: u.movedim(1, 2))
    assert torch.equal(single.rms_of(Rung(-1, 0, True, False)), single.rms_of(Rung(0, 0, True, False)))


def test_data_and_forecasts_on_a_coarser_grid_are_known_as_such():
    model = made(make_problem(**LINE), resolutions=1)
    coarse = dataclasses.replace(model.problem, grid=Grid((8,), (2.0,)))
    batch = make_batch(coarse)
    model.calibrate([make_batch(model.problem), batch])
    model.net.calls.clear()
    at_resolution("wdno", model, (8,)).forecast(batch.frames(slice(0, 1)), batch.t[:, 1:])
    assert model.net.calls[0][1][0, 1:].tolist() == [1.0, 0.0, 0.0, 0.0]
    model.net.calls.clear()
    model.loss(batch)
    seen, scalars = model.net.calls[-1]
    assert seen.shape[-1] == 4 and scalars[0, 1].item() == 1.0 and scalars[0, 3].item() == 0.0


def test_an_evaluation_on_finer_grids_refines():
    model = made(make_problem(**LINE), resolutions=1)
    finer = at_resolution("wdno", model, (64,))
    assert isinstance(finer, SuperResolved) and (finer.space, finer.time) == (2, 0)
    for other in (made(make_problem(**LINE)), model):
        with pytest.raises(ValueError, match=r"expected .*got .*; "):
            at_resolution("wdno", other, (24,))


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"has_mask": True}, {}),
        ({"grid": Grid((16,), (1.0,), layout=("cells",))}, {}),
        ({"params": ("dt",), "dt": None}, {}),
        ({"n_frames": 8}, {}),
        ({"grid": Grid((18,), (1.0,))}, {"resolutions": 2}),
        ({}, {"history": 2}),
        ({}, {"resolutions": -1}),
        ({}, {"wavelet": "fourier"}),
    ],
    ids=["mask", "cells", "dt", "frames", "points", "history", "negative", "fourier"],
)
def test_problems_without_a_pyramid_are_refused(changes, options):
    with pytest.raises(ValueError, match=r"expected .*; (set|generate)"):
        WDNO(make_problem(**{**LINE, **changes}), PointwiseNet, **{"resolutions": 1, **options})


def test_other_sizes_are_refused():
    problem = make_problem(**LINE)
    model = made(problem, resolutions=1)
    frames = torch.zeros(1, 1, 2, 24, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"expected \(16,\) points and 8 frames times powers of two"):
        model.interpolated(frames, torch.zeros(1, 8, 2, 12, dtype=torch.float64), False)
    for refused in (lambda: SuperResolved(made(problem)), lambda: made(problem).interpolated(frames, frames, True)):
        with pytest.raises(ValueError, match=r"expected a model trained with model.resolutions > 0"):
            refused()
    with pytest.raises(ValueError, match=r"expected doublings >= 0"):
        SuperResolved(model, -1)
