"""A recipe's hash names its content; what it draws is keyed; frames reach the stored grid without aliasing."""

import dataclasses
from functools import partial

import numpy as np
import pytest
import torch

from pdekit.boundaries import Wall
from pdekit.calculus.resample import restrict
from pdekit.fields import Field, Grid
from pdekit.pdes import Advection, Burgers, Diffusion, KuramotoSivashinsky, ShallowWater
from pdekit.plain import from_plain, to_plain, versions
from pdekit.recipes import initial
from pdekit.recipes.base import SPLITS
from pdekit.recipes.trajectories import Recipe, Uniform, recipe_from
from pdekit.simulators.check import first_time, lowest_correlation, relative_error
from pdekit.simulators.stepping import finer_shape
from pdekit.solvers import etdrk, finite_volume


def recipe(**changes) -> Recipe:
    made = Recipe(
        name="line",
        pde=Burgers(viscosity=0.1),
        grid=Grid((32,), (6.0,)),
        initial=initial.RandomFourierSeries(n_terms=4, max_mode=3),
        solver=partial(etdrk, order=4),
        dt=0.1,
        n_trajectories={"train": 5, "valid": 1, "test": 2},
        n_frames={"train": 4, "valid": 3, "test": 6},
        chunk=2,
    )
    return dataclasses.replace(made, **changes)


# Plain values and the hash


def test_plain_values_and_back():
    made = recipe(params={"viscosity": Uniform(0.1, 0.2)}, solver_shape=(48,))
    again = from_plain(to_plain(made))
    assert to_plain(again) == to_plain(made) and again.hash == made.hash
    assert again.grid == made.grid and again.pde == made.pde and again.params == made.params
    assert to_plain(made)["solver"] == {"_target_": "pdekit.solvers.etdrk.etdrk", "_partial_": True, "order": 4}


def test_the_hash_covers_every_value_and_nothing_else():
    made = recipe()
    assert recipe().hash == made.hash and len(made.hash) == 12
    changes = {
        "pde": Burgers(viscosity=0.11),
        "grid": Grid((32,), (6.1,)),
        "initial": initial.RandomFourierSeries(n_terms=4, max_mode=2),
        "solver": partial(etdrk, order=3),
        "dt": 0.2,
        "n_trajectories": {"train": 5, "valid": 1, "test": 3},
        "n_frames": {"train": 4, "valid": 3, "test": 7},
        "substeps": 2,
        "warmup": 1.0,
        "params": {"viscosity": Uniform(0.1, 0.2)},
        "seed": 1,
        "dtype": "float32",
        "text": True,
    }
    hashes = {recipe(**{name: value}).hash for name, value in changes.items()}
    assert len(hashes | {made.hash}) == len(changes) + 1
    # a default that is spelt out, or a name under which a package re-exports, is the same recipe
    assert recipe(initial=initial.RandomFourierSeries(4, 1, 3, 0.5, 0.0)).hash == made.hash
    config = {**to_plain(made), "pde": {"_target_": "pdekit.pdes.Burgers", "viscosity": 0.1}}
    assert recipe_from(config).hash == made.hash


def test_a_new_version_of_an_equation_or_solver_is_a_new_dataset(monkeypatch):
    before = recipe().hash
    assert versions(recipe())["pdekit.pdes.burgers.Burgers"] == 1
    with monkeypatch.context() as patch:
        patch.setattr(Burgers, "version", 2)
        assert recipe().hash != before
    import sys

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["pdekit.solvers.etdrk"], "VERSION", 2)
        assert recipe().hash != before
    assert recipe().hash == before


@pytest.mark.parametrize(
    "value, sentence",
    [
        (lambda x: x, "defined in a module"),
        (torch.zeros(2), "got Tensor"),
        (float("nan"), "finite numbers"),
        (partial(etdrk, 1), "named options only"),
    ],
)
def test_what_has_no_plain_form_is_refused(value, sentence):
    with pytest.raises(ValueError, match=sentence):
        to_plain({"value": value})


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"pde": {"_target_": "pdekit.pdes.Burgers", "viscocity": 1.0}}, "got 'viscocity'; did you mean 'viscosity'"),
        ({"pde": {"_target_": "os.system", "command": "true"}}, "os.system"),
        ({"pde": {"_target_": "pdekit.pdes.Burger"}}, "Burger"),
        ({"chunks": 3}, "got 'chunks'; did you mean 'chunk'"),
        ({"n_frames": {"train": 3}}, "expected n_frames >= 1 for each of"),
        ({"n_frames": {"train": 3, "valid": "2", "test": 1}}, "expected n_frames >= 1 for each of .* got .*'2'"),
        (
            {"n_frames": "train:2"},
            "expected data.n_frames of .*Recipe as values by name, got 'train:2'; set data.n_frames.N",
        ),
        ({"n_trajectories": 8}, "expected data.n_trajectories of .*Recipe as values by name, got 8"),
        ({"params": "nu"}, "expected data.params of .*Recipe as values by name, got 'nu'"),
        ({"dtype": "float16"}, "expected dtype among"),
        ({"name": "../elsewhere"}, "expected a name without folders"),
        ({"name": "/elsewhere"}, "expected a name without folders"),
        ({"name": ".."}, "expected a name without folders"),
        ({"substeps": 0}, "substeps >= 1"),
        ({"chunk": 0}, "chunk >= 1"),
        ({"solver_shape": [32, 32]}, "solver_shape of 1 numbers"),
        ({"params": {"nu": {"_target_": "pdekit.recipes.trajectories.Uniform", "low": 0, "high": 1}}}, "got 'nu'"),
        ({"params": {"dt": {"_target_": "pdekit.recipes.trajectories.Uniform", "low": 2, "high": 1}}}, "low <= high"),
    ],
)
def test_a_wrong_recipe_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        recipe_from({**to_plain(recipe()), **change})


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("pdekit.recipes.chaotic.chaotic_recipe", {"system": "lorenz", "n_trajectories": "train:2", "n_frames": {}}),
        ("pdekit.models.pinn.inverse.Inverse", {"start": "nu:0.1"}),
        ("pdekit.solvers.finite_volume.Scheme", {"states": [1.0, 0.0]}),
    ],
)
def test_a_value_where_values_by_name_are_declared_is_named(target, options):
    """Of functions and classes alike, on the command line and in a file."""
    with pytest.raises(ValueError, match=r"expected \w+ of pdekit.* as values by name, got .*; set \w+\.NAME=VALUE"):
        from_plain({"_target_": target, "_partial_": True, **options})


def test_something_else_is_no_recipe():
    with pytest.raises(ValueError, match="expected a recipe"):
        recipe_from({"_target_": "pdekit.fields.Field", "name": "u"})


# Trajectories


def test_a_trajectory_depends_on_its_key_only():
    made = recipe(params={"viscosity": Uniform(0.05, 0.2), "length_x": Uniform(5.0, 7.0), "dt": Uniform(0.1, 0.2)})
    together = made.simulate("train", [0, 1, 2, 3])
    apart = made.simulate("train", [3, 1])
    torch.testing.assert_close(apart.params, together.params[[3, 1]], rtol=0, atol=0)
    torch.testing.assert_close(apart.u, together.u[[3, 1]])
    other = made.simulate("test", [3, 1])
    assert (other.u[:, 0] - apart.u[:, 0]).abs().max() > 0.1 and not torch.equal(other.params, apart.params)
    low, high = torch.tensor([0.05, 5.0, 0.1]), torch.tensor([0.2, 7.0, 0.2])
    assert ((low <= together.params) & (together.params <= high)).all()


def test_varying_box_step_and_velocity_enter_the_solution():
    """Advection is known: u(x, t) = u_0(x - c t), with the c, L and dt of each trajectory."""
    made = recipe(
        pde=Advection(),
        params={"velocity_x": Uniform(0.5, 1.5), "length_x": Uniform(5.0, 7.0), "dt": Uniform(0.1, 0.2)},
        text="full",
    )
    batch = made.simulate("test", [0, 1, 2])
    for i, (velocity, length, dt) in enumerate(batch.params.tolist()):
        torch.testing.assert_close(batch.t[i], dt * torch.arange(6, dtype=torch.float64))
        k = 2 * np.pi / length * torch.arange(17)
        shift = torch.exp(-1j * k * velocity * 5 * dt)
        expected = torch.fft.irfft(torch.fft.rfft(batch.u[i, 0, 0].double()) * shift, n=32)
        torch.testing.assert_close(batch.u[i, 5, 0].double(), expected, rtol=0, atol=1e-6)
        assert f"{velocity:.4g}" in batch.text[i]


def test_warmup_and_substeps():
    """Frames after a warm-up are the later frames without it; substeps change nothing where the step is exact."""
    plain = recipe(pde=Diffusion()).simulate("test", [0, 1])
    later = recipe(pde=Diffusion(), warmup=0.2).simulate("test", [0, 1])
    torch.testing.assert_close(later.u[:, :4], plain.u[:, 2:])
    finer = recipe(pde=Diffusion(), substeps=7).simulate("test", [0, 1])
    torch.testing.assert_close(finer.u, plain.u)


def test_nan_names_the_trajectory_and_the_time():
    wild = initial.RandomFourierSeries(n_terms=4, max_mode=3, amplitude=1e9)
    made = recipe(initial=wild, params={"viscosity": Uniform(1e-3, 1e-3)}, n_frames=dict.fromkeys(SPLITS, 40))
    with pytest.raises(ValueError, match=r"trajectory 1 of train with \{'viscosity': 0.001\} at t = .*raise substeps"):
        made.simulate("train", [1])


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"pde": Burgers(viscosity=-0.1)}, "value of at least 0 for viscosity of Burgers, got -0.1"),
        ({"pde": Burgers(viscosity=float("nan"))}, "for viscosity of Burgers, got nan"),
        ({"params": {"viscosity": Uniform(-0.01, 0.1)}}, "value of at least 0 for viscosity of Burgers, got -0.01"),
        ({"params": {"length_x": Uniform(-1.0, 1.0)}}, "expected a positive length_x"),
        ({"params": {"dt": Uniform(0.0, 1.0)}}, "expected a positive dt"),
    ],
)
def test_ill_posed_parameters_are_refused_before_anything_is_generated(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        recipe(**changes)


def test_a_finer_solver_grid_leads_to_the_same_frames():
    made = recipe(pde=Burgers(viscosity=0.3), grid=Grid((48,), (6.0,)))
    fine = dataclasses.replace(made, solver_shape=(96,))
    coarse = made.simulate("test", [0])
    torch.testing.assert_close(fine.simulate("test", [0]).u, coarse.u, rtol=0, atol=1e-5)


# Onto the stored grid


@pytest.mark.parametrize("n, m", [(48, 32), (48, 31), (45, 32), (45, 31), (32, 32)])
def test_restriction_keeps_modes_and_aliases_none(n, m):
    """A low mode is sampled exactly; one that the coarse grid cannot hold vanishes, where strides would alias it."""
    grid = Grid((n,), (2.0,))
    (x,) = grid.mesh()
    (coarse,) = grid.resized((m,)).mesh()
    low = 1.0 + torch.cos(5 * torch.pi * x) + torch.sin(2 * torch.pi * x)
    high = torch.cos(20 * torch.pi * x) if n > m else torch.zeros_like(x)  # mode 20 > 16
    expected = 1.0 + torch.cos(5 * torch.pi * coarse) + torch.sin(2 * torch.pi * coarse)
    torch.testing.assert_close(restrict((low + high)[None, None], grid, (m,))[0, 0], expected)


def test_restriction_at_the_nyquist_mode():
    """cos(16 x) survives on 32 points of a period, as its samples; sin(16 x) is invisible there."""
    grid = Grid((64,), (2 * torch.pi,))
    (x,) = grid.mesh()
    kept = restrict((torch.cos(16 * x) + torch.sin(16 * x))[None, None], grid, (32,))[0, 0]
    torch.testing.assert_close(kept, torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(16))


def test_restriction_of_cells_and_nodes():
    u = torch.randn(2, 3, 12, 9, dtype=torch.float64)
    grid = Grid((12, 9), (1.0, 1.0), layout=("cells", "nodes"))
    found = restrict(u, grid, (4, 5))
    torch.testing.assert_close(found, u.unflatten(2, (4, 3)).mean(3)[..., ::2])
    torch.testing.assert_close(found[..., 0].mean(2), u[..., 0].mean(2))  # conserved
    for shape in ((5, 9), (12, 4)):
        with pytest.raises(ValueError, match="choose an integer ratio"):
            restrict(u, grid, shape)


def test_averages_over_cells_centred_at_points():
    """Three cells around each point of the coarse grid: conserved, and to second order the value there."""
    grid = Grid((192,), (2 * torch.pi,))
    (x,) = grid.mesh()
    found = restrict(torch.sin(x)[None, None], grid, (64,), averages=True)[0, 0]
    (coarse,) = grid.resized((64,)).mesh()
    h = 2 * torch.pi / 192
    torch.testing.assert_close(found, torch.sin(coarse) * (1 + 2 * np.cos(h)) / 3)
    u = torch.rand(1, 1, 192, dtype=torch.float64)
    torch.testing.assert_close(restrict(u, grid, (64,), averages=True).mean(), u.mean())
    with pytest.raises(ValueError, match="choose an odd integer ratio"):
        restrict(u, grid, (96,), averages=True)


# How far the reference can be trusted


@pytest.mark.slow
def test_the_check_sees_the_error_of_step_and_space():
    """Chaos: errors grow from rounding size by e^(0.09 t), and a coarser solver disagrees sooner."""
    made = recipe(
        pde=KuramotoSivashinsky(),
        grid=Grid((128,), (64.0,)),
        initial=initial.RandomFourierSeries(max_mode=2),
        dt=2.0,
        substeps=40,
        warmup=60.0,
        n_frames={"train": 2, "valid": 2, "test": 26},
    )
    good = made.check()
    coarse = dataclasses.replace(made, grid=Grid((72,), (64.0,)), substeps=2).check()
    assert len(good["error_step"]) == 4 and len(good["error_step"][0]) == len(good["time"]) == 26
    assert good["error_step"][0][0] == 0 and good["finer_shape"] == [192]
    assert good["time_of_error_step"] == [None] * 4  # agrees to t = 50
    assert good["time"][:3] == [0.0, 2.0, 4.0], "frames, in the unit of dt"
    times = coarse["time_of_error_step"] + coarse["time_of_error_space"]
    assert sum(time is not None and time > 4 for time in times) >= 6
    growth = np.log(np.array(coarse["error_step"])[:, 10] / np.array(coarse["error_step"])[:, 2]) / 16
    assert 0.02 < growth.mean() < 0.3


def test_errors_and_times_of_agreement():
    pair = (Field("u", vector="velocity"), Field("v", vector="velocity"))
    apart = (Field("u"), Field("v"))
    reference = torch.randn(2, 3, 2, 16, dtype=torch.float64)
    tenth = torch.full((2, 3), 0.1, dtype=torch.float64)
    torch.testing.assert_close(relative_error(1.1 * reference, reference, apart), tenth)
    torch.testing.assert_close(relative_error(1.1 * reference, reference, pair), tenth)
    ones = torch.ones(2, 3, dtype=torch.float64)
    torch.testing.assert_close(lowest_correlation(3 * reference + 1, reference, apart), ones)
    small = reference * torch.tensor([1.0, 1e-2]).reshape(2, 1)  # one component is small: it counts with its group
    wrong = small + torch.tensor([0.0, 1e-2]).reshape(2, 1)
    assert relative_error(wrong, small, pair).max() < 0.02 and relative_error(wrong, small, apart).min() > 0.5
    uniform = torch.ones(1, 2, 2, 8, dtype=torch.float64)
    assert lowest_correlation(uniform, uniform, apart).tolist() == [[1.0, 1.0]]
    assert relative_error(0 * uniform, 0 * uniform, apart).tolist() == [[0.0, 0.0]]
    # a reference that passes through zero is measured against a thousandth of its largest norm
    zero = torch.tensor([1.0, 0.0, 1.0]).reshape(1, 3, 1, 1).expand(1, 3, 1, 8)
    errors = relative_error(zero + 1e-4, zero, (Field("u"),))
    torch.testing.assert_close(errors, torch.tensor([[1e-4, 0.1, 1e-4]], dtype=torch.float64), rtol=1e-3, atol=0)
    time = torch.tensor([0.0, 0.5, 1.0])
    assert first_time(time, torch.tensor([[False, True, False], [False, False, False]])) == [0.5, None]
    assert finer_shape(Grid((32, 10, 5), (1.0,) * 3, layout=("periodic", "cells", "nodes"))) == (48, 20, 9)
    assert finer_shape(Grid((16,), (1.0,), layout=("half_open",))) == (32,)
    assert finer_shape(Grid((96,), (1.0,)), stored=Grid((32,), (1.0,))) == (160,)


def test_fields_come_from_the_equation():
    problem = recipe(params={"viscosity": Uniform(0.1, 0.2)}).problem("test")
    assert problem.fields == (Field("u"),) and problem.n_frames == 6 and problem.params == ("viscosity",)
    fine = recipe(solver_shape=(64,))
    assert fine.simulator.prepare(None, fine.grid).grid.shape == (64,)


# Grids with ends


def basin() -> Recipe:
    bumps = initial.GaussianBumps(radius=(0.1, 0.15), background=1.0)
    still = initial.Constant(0.0)
    wall = ("wall free_slip", "wall free_slip")
    return recipe(
        pde=ShallowWater(),
        grid=Grid((16,), (5.0,), layout=("cells",)),
        initial=initial.Channels((bumps, still, still)),
        solver=finite_volume,
        solver_shape=(64,),
        boundary=(wall,),
        substeps=8,
    )


def test_a_closed_basin_keeps_its_water():
    made = basin()
    batch = made.simulate("test", [0, 1])
    assert made.problem("test").boundary == ((Wall("free_slip"), Wall("free_slip")),)
    mass = batch.u[:, :, 0].double().mean(-1)
    torch.testing.assert_close(mass, mass[:, :1].expand_as(mass), rtol=1e-6, atol=0)
    assert float((batch.u[:, -1, 1]).abs().max()) > 0.05
    check = made.check()
    assert check["finer_shape"] == [96] and 1e-5 < np.max(check["error_space"]) < 0.1


def test_a_boundary_that_the_solver_does_not_honour_is_refused():
    with pytest.raises(ValueError, match="got 'wall no_slip'"):
        dataclasses.replace(basin(), boundary=(("wall no_slip", "outflow"),)).simulate("test", [0])
    with pytest.raises(ValueError, match="expected a periodic grid for a solver without boundary conditions"):
        recipe(grid=Grid((32,), (6.0,), layout=("cells",)))
