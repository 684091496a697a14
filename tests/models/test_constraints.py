"""Constraints on forecasts: exact, applied twice the same, differentiable, on every layout; refusals."""

import dataclasses

import pytest
import torch

from pdekit.boundaries import Dirichlet, Periodic, Wall
from pdekit.calculus.projections import divergence_free
from pdekit.fields import Field, Grid, Problem, Trajectory
from pdekit.metrics.incompressible import divergence
from pdekit.models.baselines.persistence import Persistence
from pdekit.models.constrained import Constrained
from pdekit.models.constraints import Conserved, constraints_of
from pdekit.pdes import KuramotoSivashinsky, ShallowWater

VELOCITY = (Field("u", vector="velocity"), Field("v", vector="velocity"))
BOXES = {
    "periodic": Grid((8, 7), (2.0, 3.0)),
    "cells": Grid((9, 12), (2.0, 3.0), layout=("cells", "cells")),
    "nodes": Grid((9, 12), (2.0, 3.0), layout=("nodes", "nodes")),
    "mixed": Grid((8, 9), (2.0, 3.0), layout=("periodic", "nodes")),
    "half open": Grid((10, 9), (2.0, 3.0), layout=("half_open", "cells")),
}
WALLS = (Dirichlet(1.5), Dirichlet("inlet"))


def problem_on(grid, **changes) -> Problem:
    return Problem(grid, **{"fields": (*VELOCITY, Field("h")), "dt": 0.1, "n_frames": 4, **changes})


def drawn(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def given_for(problem: Problem) -> Trajectory:
    coeffs = drawn(3, 1, *problem.grid.shape, seed=2) if problem.coeffs else None
    return Trajectory(
        u=2 + drawn(3, 2, problem.n_channels, *problem.grid.shape, seed=1), t=torch.zeros(3, 2), coeffs=coeffs
    )


def frames_of(problem: Problem) -> torch.Tensor:
    return 1 + drawn(4, 3, 5, problem.n_channels, *problem.grid.shape)


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("name", ["zero_mean", "divergence", "conserved:h+u", "positive:h", "boundary"])
def test_a_constraint_holds_and_changes_nothing_twice(name, box):
    grid = BOXES[box]
    ends = [(Periodic(),) * 2 if layout == "periodic" else WALLS for layout in grid.layout]
    problem = problem_on(grid, boundary=ends, coeffs=(Field("inlet"),))
    if name == "boundary" and not {"nodes", "half_open"} & set(grid.layout):
        with pytest.raises(ValueError, match="expected an end with a point"):
            constraints_of([name], problem)
        return
    (constraint,), given, u = constraints_of([name], problem), given_for(problem), frames_of(problem)
    found = constraint(u, given)
    assert found.shape == u.shape and not torch.equal(found, u)
    torch.testing.assert_close(constraint(found, given), found, rtol=0, atol=1e-12)
    weights = grid.weights()

    def total(values):
        return (weights * values).sum((-2, -1))

    if name == "zero_mean":
        assert float(total(found).abs().max()) < 1e-13
    elif name == "divergence":
        assert float(divergence(found.flatten(0, 1), problem).max()) < 1e-12
        assert torch.equal(found[:, :, :, 2], u[:, :, :, 2]), "a scalar is not touched"
    elif name == "conserved:h+u":
        wanted = total(given.u[:, -1:])
        torch.testing.assert_close(total(found)[:, :, :, 0], wanted[:, :, 0].expand(4, 3, 5), rtol=1e-13, atol=0)
        torch.testing.assert_close(total(found)[:, :, :, 2], wanted[:, :, 2].expand(4, 3, 5), rtol=1e-13, atol=0)
        assert torch.equal(found[:, :, :, 1], u[:, :, :, 1])
    elif name == "positive:h":
        assert float(found[:, :, :, 2].min()) == 0
        torch.testing.assert_close(total(found), total(u), rtol=1e-12, atol=1e-12)
    else:
        axis = 1 if grid.layout[1] == "nodes" else 0
        assert bool((found.select(-2 + axis, 0)[..., 1:-1] == 1.5).all())
        if grid.layout[axis] == "nodes":
            inlet = given.coeffs[:, 0].select(-2 + axis, -1)
            assert torch.equal(found.select(-2 + axis, -1)[0, :, 0, 0], inlet)
    # the precision of the frames is kept, and a gradient passes
    assert constraint(u.float(), given).dtype == torch.float32
    u = u.requires_grad_()
    constraint(u, given).square().sum().backward()
    assert torch.isfinite(u.grad).all() and u.grad.abs().sum() > 0


@pytest.mark.parametrize("box", BOXES)
def test_the_projection_is_orthogonal_and_keeps_what_has_no_divergence(box):
    grid, v, w = BOXES[box], drawn(2, 2, *BOXES[box].shape), drawn(2, 2, *BOXES[box].shape, seed=1)
    projected = divergence_free(v, grid)
    assert abs(float((projected * (v - projected)).sum())) < 1e-11
    torch.testing.assert_close((divergence_free(w, grid) * v).sum(), (w * projected).sum())
    if grid.periodic:
        torch.testing.assert_close(projected.mean((-2, -1)), v.mean((-2, -1)))


def test_the_projection_follows_lengths_that_vary():
    grid = Grid((8, 8), (1.0, 2.0))
    varying = dataclasses.replace(grid, extent=(torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1).double(), 2.0))
    v = drawn(2, 2, 8, 8)
    found = divergence_free(v, varying)
    for i, length in enumerate((1.0, 3.0)):
        alone = divergence_free(v[i : i + 1], Grid((8, 8), (length, 2.0)))
        torch.testing.assert_close(found[i : i + 1], alone)


def test_the_gradient_of_the_projection_is_the_projection():
    """It is linear and symmetric."""
    v, w = drawn(1, 2, 8, 7).requires_grad_(), drawn(1, 2, 8, 7, seed=1)
    grid = BOXES["periodic"]
    (divergence_free(v, grid) * w).sum().backward()
    torch.testing.assert_close(v.grad, divergence_free(w, grid))


def test_invariants_of_the_equation_are_kept():
    ks = Problem(Grid((16,), (22.0,)), (Field("u"),), dt=0.1, n_frames=4, pde=KuramotoSivashinsky())
    assert Conserved(ks).rows.shape == (1, 1, 16)
    water = Problem(Grid((8, 8), (1.0, 1.0)), ShallowWater().fields, dt=0.1, n_frames=4, pde=ShallowWater())
    constraint, u, given = Conserved(water), frames_of(water), given_for(water)
    assert 1 <= len(constraint.rows) <= 3
    before, after = (
        water.pde.invariants(part.flatten(0, -4), water.grid) for part in (given.u[:, -1], constraint(u, given))
    )
    torch.testing.assert_close(
        after["mass"].reshape(4, 3, 5), before["mass"][:, None].expand(4, 3, 5), rtol=1e-12, atol=0
    )


def test_members_say_where_the_correction_goes():
    """The closed form of ProbConserv, and no correction where all members agree."""
    grid = Grid((6,), (1.0,))
    problem = Problem(grid, (Field("u"),), dt=0.1, n_frames=4)
    spread = torch.tensor([0.0, 0.0, 1.0, 2.0, 1.0, 0.0]).double()
    u = (drawn(50, 1, 1, 1, 1) * spread).expand(50, 3, 1, 1, 6) + 0.3
    given = given_for(problem)
    found = Conserved(problem, ("u",), "members")(u, given)
    variance = u.var(0)[0, 0, 0]
    gap = given.u[:, -1].mean(-1)[:, :, None, None] - u.mean(-1, keepdim=True)
    expected = u + gap * 6 * variance / variance.sum()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(
        found.mean(-1)[..., 0], given.u[:, -1].mean(-1)[None].expand(50, 3, 1), rtol=0, atol=1e-13
    )
    with pytest.raises(ValueError, match="expected two or more members"):
        Conserved(problem, ("u",), "members")(u[:1], given)


def test_walls_without_slip_stop_vectors_only():
    grid = Grid((5, 6), (1.0, 1.0), layout=("nodes", "nodes"))
    problem = problem_on(grid, boundary=[(Wall("no_slip"), Wall("unspecified"))] * 2)
    u = frames_of(problem)
    found = constraints_of(["boundary"], problem)[0](u, given_for(problem))
    assert not found[..., :2, 0, :].any() and not found[..., :2, :, 0].any()
    assert torch.equal(found[..., 2, :, :], u[..., 2, :, :]) and torch.equal(found[..., -1, 1:], u[..., -1, 1:])


def test_a_wall_that_slides_has_its_speed_along_the_first_axis_in_it():
    grid = Grid((5, 6), (1.0, 1.0), layout=("nodes", "nodes"))
    problem = problem_on(grid, boundary=[(Wall(), Wall("no_slip", 3.0)), (Wall(), Wall("no_slip", 2.0))])
    u = frames_of(problem)
    found = constraints_of(["boundary"], problem)[0](u, given_for(problem))
    assert (found[..., 0, :, -1] == 2).all() and not found[..., 1, :, -1].any()
    assert (found[..., 1, -1, :-1] == 3).all() and not found[..., 0, -1, :-1].any()
    assert torch.equal(found[..., :-1, :-1], u[..., :-1, :-1]) and torch.equal(found[..., 2, :, :], u[..., 2, :, :])


def test_a_wall_whose_coefficient_is_missing_is_no_wall_of_zeros():
    problem = problem_on(BOXES["nodes"], boundary=[WALLS, WALLS], coeffs=(Field("inlet"),))
    (constraint,), given = constraints_of(["boundary"], problem), given_for(problem)
    with pytest.raises(ValueError, match=r"expected the coefficient 'inlet', .* found no coefficients"):
        constraint(frames_of(problem), dataclasses.replace(given, coeffs=None))


def test_a_constrained_surrogate_forecasts_within_its_constraints():
    problem = problem_on(BOXES["periodic"])
    model, given = Persistence(problem), given_for(problem)
    model.calibrate([])
    given = given.frames(slice(1, 2))
    t = torch.tensor([[0.1, 0.2]]).double().expand(3, 2)
    found = Constrained(model, ["divergence", "zero_mean:h"]).forecast(given, t)
    assert (
        float(divergence(found[0], problem).max()) < 1e-12
        and float(found[:, :, :, 2].mean((-2, -1)).abs().max()) < 1e-14
    )
    assert not torch.equal(found, model.forecast(given, t))


def test_integrals_of_a_frame_that_is_not_given_are_refused():
    """A field that is named twice is one constraint."""
    problem = problem_on(BOXES["periodic"])
    u, given = frames_of(problem), given_for(problem)
    once, twice = (constraints_of([name], problem)[0](u, given) for name in ("conserved:h", "conserved:h+h"))
    assert torch.equal(once, twice)
    model = Persistence(problem)
    model.window = (0, "all")
    with pytest.raises(ValueError, match="expected a method that is given a frame"):
        Constrained(model, ["conserved:h"])


@pytest.mark.parametrize(
    ("names", "changes", "message"),
    [
        (["mass"], {}, "expected a constraint among conserved"),
        (["positive:depth"], {}, "expected fields among"),
        (["conserved"], {}, "expected an equation that keeps a linear integral"),
        (["conserved:h"], {"n_frames": 1, "dt": None}, "expected a problem in time"),
        (["divergence"], {"fields": (Field("h"),)}, "expected a vector of 2 components"),
        (["zero_mean"], {"has_mask": True}, "expected fields that exist everywhere"),
        (["boundary"], {"grid": Grid((), ())}, "expected a uniform grid with axes"),
    ],
)
def test_what_does_not_suit_a_problem_is_refused(names, changes, message):
    grid = changes.pop("grid", BOXES["periodic"])
    with pytest.raises(ValueError, match=message):
        constraints_of(names, problem_on(grid, **changes))
