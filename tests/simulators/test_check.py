"""Errors of a self-check where a field passes through zero."""

import dataclasses

import torch

from pdekit.fields import Field, Grid
from pdekit.simulators.base import SAME, Frame
from pdekit.simulators.check import errors_by_field, lowest_correlation, relative_error, self_convergence
from pdekit.simulators.stepping import Stepping, finer_shape
from tests.recipes.test_trajectories import recipe


def test_a_field_that_passes_through_zero_is_measured_against_a_thousandth():
    """Norms of 1 and 1e-4, and an error of 1e-4 in both frames."""
    reference = torch.tensor([1.0, 1e-4], dtype=torch.float64).reshape(1, 2, 1, 1).expand(1, 2, 1, 8)
    expected = torch.tensor([[1e-4, 0.1]], dtype=torch.float64)
    torch.testing.assert_close(relative_error(reference + 1e-4, reference, (Field("u"),)), expected)
    torch.testing.assert_close(errors_by_field(reference + 1e-4, reference, (Field("u"),))["u"][0], expected)


def test_the_worst_field_is_the_one_that_correlates_least():
    """Two fields: one agrees with the reference, the other one is its mirror image."""
    wave = torch.sin(2 * torch.pi * torch.arange(8, dtype=torch.float64) / 8).expand(1, 2, 2, 8)
    signs = torch.tensor([1.0, -1.0], dtype=torch.float64)[:, None]
    found = lowest_correlation(signs * wave, wave, (Field("u"), Field("v")))
    torch.testing.assert_close(found, torch.full((1, 2), -1.0, dtype=torch.float64))


def test_a_warm_up_takes_the_steps_of_its_frames_and_finer_grids_keep_their_ends():
    """0.35 time units are 3.5 frames of 0.1, of 4 steps each."""
    assert recipe(substeps=4, warmup=0.35).simulator.warmup_steps == 14
    layouts = Grid((8, 5, 6), (1.0, 1.0, 1.0), layout=("periodic", "nodes", "cells"))
    assert finer_shape(layouts) == (12, 9, 12)
    assert finer_shape(Grid((6,), (1.0,)), Grid((3,), (1.0,))) == (12,)


class Holed(Stepping):
    """Frames of ones; the first point does not exist on the coarse grid, and the second not on the finer ones."""

    def march(self, draws, grid, refinement=SAME, start=None, device="cpu", tick=None):
        mask = torch.ones(len(draws), 1, *grid.shape, dtype=torch.float64)
        mask[..., 0 if refinement == SAME else 1] = 0
        while True:
            yield Frame(mask, mask=mask, own=mask)


def test_errors_are_taken_where_a_field_exists_on_both_grids():
    own = recipe()
    plain = own.simulator
    holed = Holed(**{item.name: getattr(plain, item.name) for item in dataclasses.fields(plain) if item.init})
    found = self_convergence(holed, [own.draw("test", i) for i in range(2)], own.grid, 2)
    assert found["error_space"] == found["error_step"] == [[0.0, 0.0]] * 2
