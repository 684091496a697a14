"""Smoke around blocks: the mask, the smoke that exits absorb, the places of blocks, one sample for one seed."""

import dataclasses

import numpy as np
import pytest
import torch

from pdekit.fields import Grid
from pdekit.metrics.vanishing import vanished
from pdekit.pdes import SmokeChannel, ViscousFlow
from pdekit.pdes.smoke_channel import UNIT
from pdekit.recipes.blocks import ABSENT, Blocks
from pdekit.recipes.initial import SmokePuff
from pdekit.solvers.projection import Flow
from tests.recipes.test_configs import compose


@pytest.fixture(scope="module")
def recipe():
    counts = dict.fromkeys(("train", "valid", "test"), 2)
    found = compose("smoke_obstacles")
    return dataclasses.replace(
        found,
        grid=found.grid.resized((24, 12)),
        solver_shape=(24, 12),
        pde=SmokeChannel(viscosity=0.01, diffusivity=0.01),
        n_frames=dict.fromkeys(counts, 5),
        n_trajectories=counts,
        dt=0.4,
        dtype="float64",
    )


@pytest.fixture(scope="module")
def batch(recipe):
    return recipe.simulate("test", [0, 1])


def test_traces_of_smoke_have_no_relative_error(recipe):
    """Smoke and what is absorbed have one from 5 % of their largest RMS on; the velocity has one at 1e-3, too."""
    share = torch.tensor([0.001, 0.04, 0.06, 1.0])
    gone = vanished(share[:, None].expand(4, 4)[None], recipe.problem("test"), 1e-7)
    assert gone[0].tolist() == [[False, False, True, True]] * 2 + [[False] * 4] * 2


def test_smoke_that_leaves_is_absorbed_and_none_enters_a_block(recipe, batch):
    """What is in the channel and what the exits took is constant to the rounding of the stored float32."""
    pde, grid, _ = recipe.problem("test").at(batch.params)
    u, mask = batch.u.double(), batch.mask
    total = torch.stack([pde.invariants(frame, grid)["total smoke"] for frame in u.unbind(1)], 1)
    torch.testing.assert_close(total, total[:, :1].expand_as(total), rtol=2e-7, atol=0)
    assert not (u * (1 - mask[:, None])).any() and mask.shape == batch.u[:, 0].shape
    absorbed = u[:, :, 3].sum((2, 3))
    assert (absorbed.diff(dim=1) >= 0).all() and (absorbed[:, 0] == 0).all() and (absorbed[:, -1] > 0).all()
    shares = pde.exit_shares(u[:, -1], grid)
    left = u[:, -1, 2].mean((1, 2)) * 2 / total[:, 0]
    torch.testing.assert_close(shares.sum(1) + left, torch.ones(2, dtype=torch.float64), rtol=1e-6, atol=0)
    assert (shares > 0).any(1).all() and float(left.min()) > 0.01 and float(left.max()) < 0.99


def test_solver_frames_keep_all_smoke_to_rounding(recipe):
    draws = [recipe.draw("test", n) for n in (0, 1)]
    marching = recipe.simulator.march(draws, recipe.grid)
    totals = [float((frame.u[:, 2] + frame.u[:, 3]).sum()) for frame, _ in zip(marching, range(5), strict=False)]
    assert max(abs(total / totals[0] - 1) for total in totals) < 1e-12


def test_a_seed_makes_the_same_sample_whatever_else_is_made(recipe, batch):
    alone = recipe.simulate("test", [1])
    torch.testing.assert_close(alone.u, batch.u[1:], rtol=0, atol=1e-5)
    assert torch.equal(alone.mask, batch.mask[1:]) and not torch.equal(batch.mask[0], batch.mask[1])
    assert torch.equal(alone.params, batch.params[1:])


def test_the_mask_holds_blocks_the_wall_and_the_last_cells(recipe, batch):
    mask, values = batch.mask, recipe.draw("test", 0).params
    solid = sum(values[f"width_{n}"] * values[f"height_{n}"] for n in (1, 2, 3)) + 6 * UNIT**2
    cells = round(solid * 12**2)
    assert int((1 - mask[0, 0]).sum()) == cells and torch.equal(mask[:, 0], mask[:, 2])
    assert not mask[:, 3, :-1].any() and int(mask[0, 3, -1].sum()) == 6
    with pytest.raises(ValueError, match="expected an equation with has_mask, got ViscousFlow"):
        ViscousFlow().existing(recipe.grid)


def test_blocks_keep_a_gap_and_stand_from_left_to_right():
    blocks = Blocks(number=(1, 3))
    for seed in range(200):
        values = blocks.draw(np.random.default_rng(seed))
        assert list(values) == list(blocks)
        assert all(blocks[k].low - 1e-12 <= v <= blocks[k].high + 1e-12 for k, v in values.items())
        found = [[round(12 * values[f"{name}_{n}"]) for name in ABSENT] for n in (1, 2, 3) if values[f"width_{n}"]]
        assert 1 <= len(found) <= 3 and found == sorted(found)
        for i, a in enumerate(found):
            for b in found[:i]:
                assert max(max(a[k], b[k]) - min(a[k] + a[k + 2], b[k] + b[k + 2]) for k in (0, 1)) >= 2
    with pytest.raises(ValueError, match="expected room for 3 blocks with the gap 30"):
        Blocks(number=(3, 3), gap=30).draw(np.random.default_rng(0))
    with pytest.raises(ValueError, match="as height of blocks"):
        Blocks(height=(3, 2))
    with pytest.raises(ValueError, match="expected 1 to 3 blocks"):
        Blocks(number=(0, 2))


def test_a_puff_is_round_and_describes_itself():
    grid = Grid((96, 48), (2.0, 1.0), layout=("cells", "cells"))
    u, v, smoke, absorbed = SmokePuff()(grid, SmokeChannel.fields, np.random.default_rng(0))
    assert torch.equal(u, torch.ones_like(u)) and not v.any() and not absorbed.any()
    assert 0.9 < float(smoke.max()) <= 1.0 and not smoke[grid.mesh()[0] > 0.63].any()
    with pytest.raises(ValueError, match="expected velocity_x, velocity_y and smoke"):
        SmokePuff()(grid, ViscousFlow.fields, np.random.default_rng(0))
    text = SmokeChannel().describe({"buoyancy": 0.5, "width_1": 0.25, "height_1": 0.5})
    assert "buoyancy 0.5 m/s^2 through a channel around 1 block (0.25 m x 0.5 m at (1, 0.5) m)" in text


def test_nothing_comes_back_through_an_exit_and_nothing_diffuses_through_an_inflow():
    """Smoke 1 in the whole channel; the fluid leaves through the upper half of the end, and returns below."""
    ends = (("inflow 1.0", "outflow"), ("wall no_slip", "wall no_slip"))
    grid = Grid((8, 4), (2.0, 1.0), layout=("cells", "cells"))
    flow = Flow.of(SmokeChannel(), grid, ends, "uniform", (torch.float64, None))
    u = torch.ones(1, *flow.mesh.face_shape(0), dtype=torch.float64)
    u[..., -1, :2] = -1.0
    all_faces, smoke = flow.mesh.all_faces(u, 0), torch.ones(1, 8, 4, dtype=torch.float64)
    flux, absorbed = flow._through_openings(torch.full_like(all_faces, 7.0), u, smoke, 0)
    assert flux[0, 0].tolist() == [0.0] * 4 and flux[0, -1].tolist() == [0.0, 0.0, 1.0, 1.0]
    assert absorbed[0, -1].tolist() == [0.0, 0.0, 4.0, 4.0] and not absorbed[0, :-1].any()
    assert (flux[0, 1:-1] == 7).all()
