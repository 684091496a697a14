"""A case becomes a dataset: what is drawn is keyed, what is stored is complete, and the check sees an error."""

import dataclasses

import numpy as np
import pytest
import torch

from pdekit.boundaries import Wall
from pdekit.data.module import DataModule
from pdekit.data.validate import faults
from pdekit.fields import Field
from pdekit.pdes import Darcy
from pdekit.plain import to_plain
from pdekit.recipes import generation
from pdekit.recipes.base import SPLITS
from pdekit.recipes.cases import SolvedRecipe
from pdekit.recipes.generation import generate
from pdekit.recipes.trajectories import recipe_from
from pdekit.simulators.base import Refinement
from pdekit.simulators.check import errors_by_field, lowest_correlation, relative_error
from tests.recipes.slab import Slab, slab
from tests.recipes.test_generation import contents


@pytest.fixture(autouse=True)
def cheap_record(monkeypatch):
    monkeypatch.setattr(generation, "provenance", lambda **known: known)


def make(recipe, base, **options):
    return generate(recipe, base, progress=False, say=lambda _: None, **options)


def test_a_case_refines_all_axes_together():
    drawn = Slab().draw(np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"expected one factor for all axes, got \(0\.5, 1\.0\)"):
        list(Slab().march([drawn], slab().grid, Refinement(space=(0.5, 1.0))))


def test_a_sample_depends_on_its_key_only():
    together, apart = slab().simulate("train", range(4)), slab().simulate("train", [3, 1])
    for part in ("u", "coeffs", "params"):
        assert torch.equal(getattr(apart, part), getattr(together, part)[[3, 1]])
    other = slab().simulate("test", [3, 1])
    assert (other.params != apart.params).all()
    assert apart.index.tolist() == [3, 1] and apart.t.tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize(("kind", "part"), [("coefficient", "coeffs"), ("field", "fields")])
def test_a_parameter_named_like_a_field_is_refused(kind, part, monkeypatch):
    monkeypatch.setattr(Darcy, part, (Field("source"),))
    with pytest.raises(ValueError, match=f"got a parameter and a {kind} 'source' of Slab.* rename the parameter"):
        slab()


def test_a_sample_solves_the_equation_with_the_inputs_stored():
    """Away from the interface, -a u'' = source."""
    batch = slab().simulate("train", range(4))
    u, a = batch.u[:, 0, 0].double(), batch.coeffs[:, 0].double()
    curvature = (u[:, 2:] - 2 * u[:, 1:-1] + u[:, :-2]) * 16**2
    same = (a[:, 2:] == a[:, 1:-1]) & (a[:, :-2] == a[:, 1:-1])
    source = -(a[:, 1:-1] * curvature)
    expected = batch.params.expand_as(source)
    assert same.sum() > 40
    torch.testing.assert_close(source[same], expected[same], rtol=1e-2, atol=0)


def test_steady_data_are_stored_and_read_whole(tmp_path):
    recipe = slab(Slab(masked=True), text=True)
    folder = make(recipe, tmp_path)
    assert folder == tmp_path / "slab" / recipe.hash
    for split in SPLITS:
        assert faults(folder / "data" / split / "slab.hdf5") == []
    data = DataModule.from_folder(folder)
    problem = data.problem
    assert problem == recipe.problem("train")
    assert problem.steady and problem.has_mask and problem.has_text and problem.params == ("source",)
    assert problem.coeffs == (Field("permeability"),) and problem.boundary == ((Wall(), Wall()),)
    assert isinstance(problem.pde, Darcy)
    assert (data.train.history, data.train.target, len(data.train)) == (0, 1, 5)
    (batch,) = list(data.test_dataloader())
    expected = recipe.simulate("test", range(4))
    for part in ("u", "coeffs", "mask"):
        torch.testing.assert_close(getattr(batch, part), getattr(expected, part), rtol=0, atol=0)
    torch.testing.assert_close(batch.params, expected.params.float())
    assert batch.text == expected.text and "source" in batch.text[0]
    assert batch.mask.dtype == torch.float32 and batch.mask[0, 0].tolist() == [1.0] * 8 + [0.0] * 9


def test_a_case_in_time_has_frames(tmp_path):
    recipe = slab(Slab(dt=0.5, n_frames=3))
    data = DataModule.from_folder(make(recipe, tmp_path))
    assert not data.problem.steady and data.problem.dt == 0.5 and len(data.train) == 10
    whole = data.test.trajectories([0])
    assert whole.t.tolist() == [[0.0, 0.5, 1.0]]
    torch.testing.assert_close(whole.u[:, 2], 2 * whole.u[:, 0])


@pytest.mark.slow
def test_neither_workers_nor_interruptions_change_a_number(tmp_path, monkeypatch):
    whole = contents(make(slab(), tmp_path / "whole", workers=2))
    original, count = generation.make_chunk, iter(range(99))

    def interrupted(*arguments):
        if next(count) == 2:
            raise KeyboardInterrupt
        original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(generation, "make_chunk", interrupted)
        with pytest.raises(KeyboardInterrupt):
            make(slab(), tmp_path / "cut")
    assert len(list((tmp_path / "cut").rglob("*.npz"))) == 2
    assert contents(make(slab(), tmp_path / "cut")) == whole


def test_the_hash_covers_the_case_and_the_versions(monkeypatch):
    made = slab()
    again = recipe_from(to_plain(made), trust=("tests",))
    assert isinstance(again, SolvedRecipe) and again.hash == made.hash and again.case == made.case
    changes = {"case": Slab(points=500), "seed": 1, "text": True, "boundary": (("dirichlet", "dirichlet"),)}
    hashes = {slab(**{name: value}).hash for name, value in changes.items()}
    for owner in (Slab, Darcy):  # the case makes its equation itself, so that the recipe does not name it
        with monkeypatch.context() as patch:
            patch.setattr(owner, "version", 2)
            hashes.add(slab().hash)
    assert len(hashes | {made.hash}) == 7


def test_the_check_is_the_error_of_the_solver():
    """Quadrature over a jump inside a cell is of first order, so that 40 points err ten times as much as 400."""
    coarse, fine = slab(Slab(points=41)).check(), slab(Slab(points=410)).check()
    assert coarse["time"] == [0.0] and np.shape(coarse["error_space"]) == (4, 1)
    ratio = np.mean(coarse["error_space"]) / np.mean(fine["error_space"])
    assert 3 < ratio < 30 and 1e-4 < np.mean(coarse["error_space"]) < 1e-1
    assert coarse["error_by_field"]["pressure"] == [row[0] for row in coarse["error_space"]]
    assert all(np.array(coarse["deviation_by_field"]["pressure"]) > coarse["error_by_field"]["pressure"])


def test_errors_count_inside_the_mask_and_by_group():
    finer = torch.tensor([[3.0, 0.0, 0.0, 9.0], [4.0, 0.0, 0.0, 9.0], [2.0, 2.0, 4.0, 4.0]])[None, None]
    plain = finer.clone()
    plain[0, 0, 0, 0] += 0.5
    plain[0, 0, 2] += 0.1
    plain[..., 3] += 100.0
    mask = torch.tensor([[1.0, 1.0, 1.0, 0.0]] * 3)[None]
    pair = [Field("u", vector="velocity"), Field("v", vector="velocity"), Field("T")]
    apart = [Field("u"), Field("v"), Field("T")]
    found = errors_by_field(plain, finer, apart, mask)
    assert np.isclose(found["u"][0], 0.5 / 3)
    relative, deviation = found["T"]
    assert np.isclose(relative, 0.1 * np.sqrt(3 / 24)) and np.isclose(deviation, 0.1 * np.sqrt(3 / (8 / 3)))
    assert np.isclose(relative_error(plain, finer, pair, mask), 0.1)
    assert np.isclose(relative_error(plain, finer, apart, mask), 0.5 / 3)
    assert np.isclose(lowest_correlation(plain, finer, apart, mask), 1)
    assert lowest_correlation(plain, finer, apart) < 0.99, "the last point is seen without a mask"


class Broken(Slab):
    def solve(self, drawn, grid, refinement=1.0):
        if self.points == 1:
            raise ValueError("Newton's iteration does not converge")
        solved = super().solve(drawn, grid, refinement)
        if self.points == 2:
            return dataclasses.replace(solved, u=np.nan * solved.u)
        return dataclasses.replace(solved, mask=np.ones((1, 17)))


@pytest.mark.parametrize(
    "points, sentence",
    [
        (1, "sample 3 of train of slab cannot be solved: Newton"),
        (2, r"NaN or Inf in trajectory 3 of train with \{'source'.*; the case must give zero"),
        (3, "sample 3 of train of slab cannot be solved: expected no mask as has_mask of Broken says, got one"),
    ],
)
def test_a_sample_that_fails_is_named(points, sentence):
    with pytest.raises(ValueError, match=sentence):
        slab(Broken(points=points)).simulate("train", [3])


class Strange(Slab):
    params = ("temperature",)


def test_a_wrong_recipe_is_refused():
    with pytest.raises(ValueError, match="expected params of Strange among the fields"):
        slab(Strange())
    with pytest.raises(ValueError, match="expected device=cpu"):
        slab().simulate("train", [0], device="cuda")
    with pytest.raises(ValueError, match="expected n_trajectories >= 1"):
        slab(n_trajectories={"train": 1})
