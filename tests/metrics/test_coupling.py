"""The effect of coupling and what a forecast captures of it."""

import pytest
import torch

from pdekit.fields import Field, Grid, Problem
from pdekit.metrics.coupling import coupling_captured, coupling_effect

PROBLEM = Problem(
    Grid((6, 5), (2.0, 1.0), layout=("nodes", "cells")),
    (Field("a"), Field("v_x", vector="v"), Field("v_y", vector="v")),
)


@pytest.fixture
def fields():
    draw = torch.Generator().manual_seed(0)
    u, cut = torch.randn(2, 4, 1, 3, 6, 5, dtype=torch.float64, generator=draw)
    return u, cut


def test_effect_is_the_relative_distance_of_the_two_solutions(fields):
    u, cut = fields
    effect = coupling_effect(u, cut, PROBLEM)
    weights = PROBLEM.grid.weights()
    for sample in range(4):
        change, size = (u - cut)[sample, 0], u[sample, 0]
        a = ((weights * change[0] ** 2).sum() / (weights * size[0] ** 2).sum()).sqrt()
        v = ((weights * change[1:] ** 2).sum() / (weights * size[1:] ** 2).sum()).sqrt()
        assert effect[sample, 0].tolist() == pytest.approx([float(a), float(v), float(v)])


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0, 1.5])
def test_a_forecast_part_of_the_way_has_captured_that_part(fields, share):
    u, cut = fields
    captured, relative = coupling_captured(cut + share * (u - cut), u, cut, PROBLEM)
    assert torch.allclose(captured, torch.full_like(captured, share))
    assert torch.allclose(relative, torch.full_like(captured, abs(1 - share)))


def test_an_error_across_the_effect_captures_nothing_more(fields):
    u, cut = fields
    change = (u - cut)[:, :, :1]
    noise = torch.randn_like(change)
    weights = PROBLEM.grid.weights()
    noise -= (
        change
        * (weights * noise * change).sum((-1, -2), keepdim=True)
        / (weights * change**2).sum((-1, -2), keepdim=True)
    )
    v = cut.clone()
    v[:, :, :1] += 0.4 * change + noise
    captured, relative = (part[..., 0] for part in coupling_captured(v, u, cut, PROBLEM))
    assert torch.allclose(captured, torch.full_like(captured, 0.4)) and (relative > 0.6).all()


def test_points_outside_the_mask_do_not_count(fields):
    u, cut = fields
    mask = torch.ones(4, 3, 6, 5)
    mask[:, :, 2:4] = 0
    elsewhere = torch.where(mask[:, None] > 0, u, torch.nan)
    assert torch.equal(coupling_effect(elsewhere, cut, PROBLEM, mask), coupling_effect(u, cut, PROBLEM, mask))
    assert torch.isfinite(coupling_captured(elsewhere, u, cut, PROBLEM, mask)[0]).all()


def test_a_field_that_is_not_touched_has_no_share(fields):
    u, cut = fields
    cut[:, :, 0] = u[:, :, 0]
    captured, relative = coupling_captured(u + 1, u, cut, PROBLEM)
    assert (coupling_effect(u, cut, PROBLEM)[..., 0] == 0).all()
    assert captured[..., 0].isnan().all() and relative[..., 0].isnan().all() and captured[..., 1:].isfinite().all()


def test_a_diverged_forecast_is_not_hidden(fields):
    u, cut = fields
    captured, relative = coupling_captured(u * torch.nan, u, cut, PROBLEM)
    assert (captured == -torch.inf).all() and (relative == torch.inf).all()
