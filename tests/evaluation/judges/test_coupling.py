"""The effect of coupling in an evaluation: scores next to the same samples with the coupling cut."""

import dataclasses

import numpy as np
import pytest

from pdekit.cases.elder import ElderCase
from pdekit.data.arrays import from_arrays
from pdekit.evaluation.judges import coupling
from pdekit.fields import Grid
from pdekit.models.baselines.persistence import Persistence
from pdekit.recipes.cases import SolvedRecipe
from tests.evaluation.scoring import evaluate


def recipe(knob="published"):
    grid = Grid((16, 8), (300.0, 150.0), layout=("cells", "cells"))
    counts = {"train": 5, "valid": 3, "test": 2}
    return SolvedRecipe(name="elder", case=ElderCase(coupling=knob), grid=grid, n_trajectories=counts)


def test_effect_and_share_land_in_the_scores(tmp_path):
    draw = np.random.default_rng(0)
    u, cut = draw.normal(size=(2, 4, 30, 1, 6, 4)).astype(np.float32)
    u[:, 20] *= 1e-13  # a frame in which the field vanishes
    source, other = (from_arrays(part, dt=0.5, extent=(1.0, 1.0), fields=["c"]).sources["test"] for part in (u, cut))
    n = source.n_trajectories
    u, cut = u[-n:], cut[-n:]
    with evaluate(
        {"persistence": Persistence(source.problem)}, source, tmp_path, uncoupled=other, starts=(2,), batch_size=3,
        timing_batches=(), progress=False,
    ) as scores:  # fmt: skip
        assert scores.sizes["time"] == 27
        size = np.sqrt((u[:, 3:] ** 2).mean((-1, -2, -3)))
        change = (u - cut)[:, 3:]
        effect = np.sqrt((change**2).mean((-1, -2, -3))) / size
        shown = np.arange(27) != 17
        assert all(np.isnan(scores[f"coupling_{name}"].isel(time=17)).all() for name in ("effect", "relative"))
        assert np.allclose(scores["coupling_effect"][:, shown, 0], effect[:, shown], rtol=1e-4)
        along = ((u[:, 2:3] - cut[:, 3:]) * change).mean((-1, -2, -3)) / (change**2).mean((-1, -2, -3))
        found = scores["coupling_captured"][0, 0, :, shown, 0]
        assert np.allclose(found, along[:, shown], rtol=1e-3, atol=1e-5)


def test_nothing_is_written_where_it_was_not_asked_for(tmp_path):
    source = from_arrays(np.random.default_rng(0).normal(size=(3, 4, 1, 6)), dt=0.5, extent=(1.0,)).sources["test"]
    with evaluate({"persistence": Persistence(source.problem)}, source, tmp_path, progress=False) as scores:
        assert not [name for name in scores if str(name).startswith("coupling")]


def test_the_test_split_is_made_again_with_the_same_draws_and_no_coupling(monkeypatch, tmp_path):
    made = []
    monkeypatch.setattr(coupling, "generate", lambda recipe, base: made.append(recipe) or base)
    monkeypatch.setattr(
        coupling.DataModule, "from_folder", lambda folder: from_arrays(np.ones((3, 1, 1, 4)), extent=(1,))
    )
    coupling.uncoupled_test(recipe(), tmp_path)
    (cut,) = made
    assert cut.case.coupling == "off" and cut.n_trajectories == {"train": 1, "valid": 1, "test": 2}
    assert dataclasses.replace(cut, case=recipe().case, n_trajectories=recipe().n_trajectories) == recipe()
    for number in range(2):
        assert cut.draw("test", number).params == recipe().draw("test", number).params
    assert cut.case.pde.coupling == 0 and recipe().case.pde.coupling != 0


def test_nothing_to_cut(tmp_path):
    with pytest.raises(ValueError, match="expected data of a case whose fields are coupled"):
        coupling.uncoupled_test(recipe("off"), tmp_path)
    with pytest.raises(ValueError, match="got these data"):
        coupling.uncoupled_test(None, tmp_path)
