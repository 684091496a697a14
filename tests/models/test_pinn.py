"""The method: its loss, its stages, its state, what it refuses, and that it solves something."""

import copy
import math
from functools import partial

import pytest
import torch
from lightning.pytorch import LightningDataModule

from pdekit.fields import Grid, Problem, Trajectory
from pdekit.models.pinn import PINN, Causality, Collocation, Form, SecondOrder, Weighting
from pdekit.nets.mlp import MLP
from pdekit.nets.modified_mlp import ModifiedMLP
from pdekit.nets.pirate_net import PirateNet
from pdekit.nets.separable import Separable
from pdekit.pdes.advection import Advection
from pdekit.pdes.burgers import Burgers
from pdekit.pdes.diffusion import Diffusion
from pdekit.pdes.initial_states import Wave, Waves, sampled
from pdekit.pdes.navier_stokes_2d import NavierStokes2D
from pdekit.pdes.nonlinear_schroedinger import NonlinearSchroedinger
from pdekit.settings import Engine, Training
from pdekit.training.module import fit

SINE = Waves(1, (Wave(0, -1.0, (math.pi,), -math.pi / 2),))
TAYLOR_GREEN = Waves(1, (Wave(0, 0.5, (1.0, 1.0)), Wave(0, 0.5, (1.0, -1.0))))
SMALL = Collocation(64, every=4)
NET = partial(MLP, width=8, depth=2)


def problem_of(pde, state=SINE, shape=(32,), length=2.0, layout="periodic", t_end=1.0) -> Problem:
    n = len(shape)
    grid = Grid(shape, (length,) * n, (-length / 2,) * n, (layout,) * n)
    return Problem(grid, pde.fields, dt=t_end / 10, n_frames=11, pde=pde, instance=state)


PROBLEMS = {
    "burgers": problem_of(Burgers(viscosity=0.1)),
    "schroedinger": problem_of(NonlinearSchroedinger(), Waves(2, SINE.waves)),
    "flow": problem_of(NavierStokes2D(viscosity=0.1), TAYLOR_GREEN, (8, 8), 2 * math.pi),
    "walls": problem_of(Diffusion(), layout="nodes"),
}


def own_batch(model: PINN) -> Trajectory:
    return next(iter(model.batches(None)))


def begun(problem: Problem, **options) -> PINN:
    """A method in its first step, in float64."""
    model = PINN(problem, options.pop("net", NET), **{"collocation": SMALL, **options}).double()
    model.before_step(model.stages(Training(steps=2))[0], 0)
    return model


@pytest.mark.parametrize("net", [MLP, ModifiedMLP, PirateNet, Separable])
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_loss_is_finite_and_reaches_every_parameter(name, net):
    model = begun(
        PROBLEMS[name], net=partial(net, width=6, depth=1), weighting=Weighting(causality=Causality(n_chunks=4))
    )
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3 * torch.randn_like(p))
    loss, numbers = model.loss(own_batch(model))
    loss.backward()
    assert torch.isfinite(loss) and 0 <= numbers["min_weight"] <= 1
    for parameter_name, p in model.named_parameters():
        if name == "flow" and p is model.solution.nets[0].last.bias:
            continue  # a streamfunction may be shifted by a constant
        assert p.grad is not None and p.grad.abs().max() > 0, parameter_name


@pytest.mark.parametrize("name", PROBLEMS)
def test_both_kinds_of_derivatives_give_the_same_loss(name):
    taylor = begun(PROBLEMS[name])
    nested = begun(PROBLEMS[name], form=Form(derivatives="nested"))
    nested.load_state_dict(taylor.state_dict())
    first, second = (model.loss(own_batch(model))[0].item() for model in (taylor, nested))
    assert first == pytest.approx(second, rel=1e-11)


def test_the_exact_solution_has_no_loss():
    """A net that gives what is missing to the travelling wave."""
    problem = problem_of(Advection(velocity_x=0.5))

    class Exact(torch.nn.Module):
        def __init__(self, **sizes):
            super().__init__()
            self.one = torch.nn.Parameter(torch.ones(()))

        def forward(self, p):
            x, t = p[:, :1], p[:, 1:]
            start, now = torch.sin(math.pi * x), torch.sin(math.pi * (x - 0.5 * t))
            return (start - now) / t * self.one

    model = begun(problem, net=Exact)
    model.cloud.points[:, 1].clamp_(0.01)  # 0/0 at the start
    assert model.loss(own_batch(model))[0] < 1e-20
    u = model.forecast(Trajectory(sampled(SINE, problem.grid)[None, None], torch.zeros(1, 1)), torch.ones(1, 1))
    shifted = Waves(1, (Wave(0, -1.0, (math.pi,), -math.pi / 2 - 0.5 * math.pi),))
    assert torch.allclose(u[0, 0, 0], sampled(shifted, problem.grid), atol=1e-6)


def test_a_soft_start_is_a_term_and_a_hard_one_is_exact():
    soft = begun(PROBLEMS["burgers"], form=Form("soft"), weighting=Weighting(initial=7.0))
    _, numbers = soft.loss(own_batch(soft))
    error = soft.solution.frames(torch.zeros(1)) - sampled(SINE, PROBLEMS["burgers"].grid)
    assert numbers["initial"].item() == pytest.approx(7.0 * error.square().mean().item())
    hard = begun(PROBLEMS["burgers"])
    assert torch.equal(hard.solution.frames(torch.zeros(1))[0], sampled(SINE, PROBLEMS["burgers"].grid))


def test_weights_and_points_rest_within_a_step_of_a_line_search():
    model = begun(
        PROBLEMS["burgers"], weighting=Weighting(balancing="residual", causality=Causality((1.0,), n_chunks=4))
    )
    last = model.stages(Training(steps=2))[-1]
    model.before_step(last, 0)
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    first = model.loss(own_batch(model))[0].item()
    for _ in range(2):
        assert model.loss(own_batch(model))[0].item() == first
    assert all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())
    model.before_step(last, 1)
    assert not torch.equal(model.cloud.points, buffers["cloud.points"])
    assert (model.cloud.points[:, -1].diff() >= 0).all()


def test_the_tolerance_rises_only_when_the_gate_is_open():
    model = begun(PROBLEMS["burgers"], weighting=Weighting(causality=Causality((1e-6, 1e3), n_chunks=4)))
    adam = model.stages(Training(steps=2))[0]
    assert int(model.cloud.tolerance) == 0, "no weight is known yet"
    model.loss(own_batch(model))
    model.before_step(adam, 1)
    assert int(model.cloud.tolerance) == 1
    model.loss(own_batch(model))
    assert model.cloud.causal.min() < 0.1


def test_loaded_points_and_states_are_used():
    """What is kept of the points and of the start of a window belongs to those before the loading."""
    first, other = (begun(PROBLEMS["burgers"], form=Form(n_windows=2)) for _ in range(2))
    expected = first.loss(own_batch(first))[0].item()
    assert other.loss(own_batch(other))[0].item() != pytest.approx(expected, rel=1e-3)
    other.load_state_dict(first.state_dict())
    assert other.loss(own_batch(other))[0].item() == expected
    for model in (first, other):
        model.before_step(model.stages(Training(steps=2))[-1], 0)
        with torch.no_grad():
            model.solution.nets[0].last.bias.add_(torch.rand(1))
        model.solution.enter(1)
    t = torch.tensor([0.7], dtype=torch.float64)
    before = other.solution.frames(t)
    other.load_state_dict(first.state_dict())
    expected = first.solution.frames(t)
    assert torch.equal(other.solution.frames(t), expected) and not torch.equal(before, expected)


@pytest.mark.parametrize("net", [MLP, Separable])
@pytest.mark.parametrize("name", ["burgers", "flow", "walls"])
def test_a_grid_of_points_gives_the_loss_of_its_points(name, net):
    """A separable net evaluates the points of each axis; the causal chunks stay ordered in time."""
    options = {"net": partial(net, width=6, depth=1), "weighting": Weighting(causality=Causality((1.0,), n_chunks=4))}
    grid = begun(PROBLEMS[name], collocation=Collocation(64, "grid", every=4), **options)
    assert [len(grid.cloud.points[:, axis].unique()) for axis in range(grid.cloud.points.shape[1])] == [
        grid.cloud.side
    ] * grid.cloud.points.shape[1]
    scattered = begun(PROBLEMS[name], **options)
    scattered.load_state_dict(grid.state_dict())
    grid._fixed = scattered._fixed = True
    grid.cloud.causal.fill_(1.0), scattered.cloud.causal.fill_(1.0)
    first, second = (model.loss(own_batch(model))[0] for model in (grid, scattered))
    assert first.item() == pytest.approx(second.item(), rel=1e-12)
    for one, other in zip(
        *(
            torch.autograd.grad(loss, list(m.parameters()), allow_unused=True, materialize_grads=True)
            for loss, m in ((first, grid), (second, scattered))
        ),
        strict=True,
    ):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-12)
    assert (grid.cloud.points[:, -1].diff() >= 0).all()


def test_balancing_acts_on_terms():
    model = begun(PROBLEMS["flow"], form=Form("soft"), weighting=Weighting(balancing="gradient_norm"))
    assert model.term_weights.unique().numel() > 1
    loss, numbers = model.loss(own_batch(model))
    terms = torch.stack([numbers[name] for name in ("equation", "streamfunction", "initial")])
    assert loss.item() == pytest.approx((model.term_weights * terms).sum().item())


def test_the_jacobian_is_that_of_the_residuals():
    model = begun(PROBLEMS["flow"], second=SecondOrder("levenberg_marquardt"))
    residual, jacobian = model.linearised()
    loss, _ = model.loss(own_batch(model))
    assert residual.square().sum().item() == pytest.approx(len(model.cloud.points) * loss.item(), rel=1e-12)
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    expected = torch.cat([g.reshape(-1) for g in gradients])
    found = 2 / len(model.cloud.points) * jacobian.mT @ residual
    assert (found - expected).norm() < 1e-12 * expected.norm()


@pytest.mark.parametrize("optimiser", ["auto", "adam", "bfgs", "levenberg_marquardt"])
def test_stages_train_each_window_in_turn(optimiser):
    model = PINN(
        PROBLEMS["burgers"], NET, second=SecondOrder(optimiser, 2, 3), form=Form(n_windows=2), collocation=SMALL
    )
    stages = model.stages(Training(steps=10))
    assert len(stages) == (2 if optimiser == "adam" else 4)
    for number, stage in enumerate(stages):
        window = number // (len(stages) // 2)
        trained = {id(p) for p in stage.trained(model)}
        assert trained == {id(p) for p in model.solution.nets[window].parameters()}
        assert stage.precision == "64-true"


@pytest.mark.parametrize(("steps", "n_windows", "optimiser"), [(1, 1, "auto"), (7, 1, "auto"), (11, 3, "auto"),
                                                               (5, 2, "adam"), (3, 3, "bfgs")])  # fmt: skip
def test_training_steps_bound_all_stages_and_windows(steps, n_windows, optimiser, tmp_path):
    """Counted while it trains: the second stage takes its steps from the same sum, and Adam has one at least."""
    torch.manual_seed(0)
    model = PINN(
        PROBLEMS["burgers"], NET, collocation=SMALL, second=SecondOrder(optimiser, 3, 1), form=Form(n_windows=n_windows)
    )
    taken, begin = [], model.before_step
    model.before_step = lambda stage, step: taken.append(stage.title) or begin(stage, step)
    settings = Training(steps=steps, ema=0, clip=None, validate_every=10**9)
    outcome = fit(model, NoData(PROBLEMS["burgers"]), settings, Engine(), tmp_path, progress=False)
    assert len(taken) == steps == outcome.steps
    for window in range(n_windows):
        own = [name for name in taken if name.endswith(f"window {window}")]
        n_second = 0 if optimiser == "adam" else min(3, len(own) - 1)
        assert abs(len(own) - steps / n_windows) < 1
        assert sum(not name.startswith("adam") for name in own) == n_second


def test_fewer_steps_than_windows_are_refused():
    model = PINN(PROBLEMS["burgers"], NET, collocation=SMALL, form=Form(n_windows=3))
    with pytest.raises(ValueError, match=r"training\.steps >= 3"):
        model.stages(Training(steps=2))


def test_a_window_starts_from_the_end_of_the_one_before():
    model = begun(PROBLEMS["burgers"], form=Form(n_windows=2))
    model.before_step(model.stages(Training(steps=2))[-1], 0)
    before, after = (model.solution.frames(torch.tensor([0.5]), window) for window in (0, 1))
    assert (before - after).abs().max() < 1e-9  # modes below 1e-10 are dropped
    assert model.cloud.points[:, 1].min() >= 0.5 and model.cloud.points[:, 1].max() > 1 - 0.1
    restored = PINN(PROBLEMS["burgers"], NET, form=Form(n_windows=2), collocation=SMALL).double()
    restored.load_state_dict(model.state_dict())
    t = torch.tensor([0.2, 0.5, 0.7, 1.0])
    assert torch.equal(restored.solution.frames(t), model.solution.frames(t))


class NoData(LightningDataModule):
    """One trajectory to validate on."""

    def __init__(self, problem):
        super().__init__()
        t = torch.arange(problem.n_frames) * problem.dt
        u = sampled(problem.instance, problem.grid).float().expand(1, len(t), -1, *problem.grid.shape)
        self.batch = Trajectory(u, t[None])

    def val_dataloader(self):
        return torch.utils.data.DataLoader([0], collate_fn=lambda _: self.batch)


def fitted(folder, resume_after=None):
    torch.manual_seed(0)
    settings = Training(steps=9, lr=1e-2, ema=0, clip=None, validate_every=3, checkpoint_every=1)
    options = dict(
        second=SecondOrder(steps=3, iterations=2), weighting=Weighting(causality=Causality((0.01, 1.0), 0.5, 4))
    )
    model = PINN(PROBLEMS["burgers"], NET, collocation=SMALL, **options)
    start = copy.deepcopy(model)
    calls, loss = [0], model.loss

    def interrupted(batch):
        calls[0] += 1
        if calls[0] == resume_after:
            raise KeyError("killed")
        return loss(batch)

    model.loss = interrupted
    data = NoData(PROBLEMS["burgers"])
    try:
        fit(model, data, settings, Engine(), folder, progress=False)
    except KeyError:
        model = start
        fit(model, data, settings, Engine(), folder, resume=True, progress=False)
    return model


@pytest.mark.slow
def test_a_run_that_was_killed_and_resumed_is_the_same(tmp_path):
    whole = fitted(tmp_path / "whole").state_dict()
    for place in (6, 14):  # in the middle of each stage
        again = fitted(tmp_path / str(place), place).state_dict()
        assert all(torch.equal(value, whole[name]) for name, value in again.items())


def test_another_instance_and_times_beyond_the_span_are_refused():
    model = begun(PROBLEMS["burgers"])
    given = Trajectory(sampled(SINE, PROBLEMS["burgers"].grid).float()[None, None], torch.zeros(1, 1))
    assert model.forecast(given, torch.tensor([[0.5, 1.0]]), members=2).shape == (2, 1, 2, 1, 32)
    other = Trajectory(1.1 * given.u, given.t)
    with pytest.raises(ValueError, match="one instance: train another"):
        model.forecast(other, torch.ones(1, 1))
    with pytest.raises(ValueError, match="beyond its span"):
        model.forecast(given, torch.full((1, 1), 1.1))


def test_problems_and_options_that_do_not_fit_are_refused():
    good = PROBLEMS["burgers"]
    varying = Problem(good.grid, good.fields, 0.1, 11, params=("viscosity",), pde=good.pde, instance=SINE)
    for wrong, message in (
        (Problem(good.grid, good.fields, 0.1, 11, pde=good.pde), "instance=published"),
        (varying, "varying viscosity"),
        (Problem(good.grid, good.fields, 0.1, 11, instance=SINE), "not defined"),
    ):
        with pytest.raises(ValueError, match=message):
            PINN(wrong, NET)
    for options, message in (
        ({"weighting": Weighting(causality=Causality(n_chunks=7))}, "7 chunks divide"),
        ({"second": SecondOrder("levenberg_marquardt"), "form": Form("soft")}, "levenberg_marquardt"),
        ({"collocation": Collocation(60, "grid")}, "try 64"),
    ):
        with pytest.raises(ValueError, match=message):
            PINN(good, NET, **options)
    with pytest.raises(ValueError, match="among"):
        SecondOrder("newton")
    for options in ({"derivatives": "none"}, {"n_windows": 0}, {"initial": "none"}, {"decay": -1.0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            Form(**options)
    for options in ({"balancing": "luck"}, {"initial": 0.0}, {"boundary": -1.0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            Weighting(**options)


@pytest.mark.slow
def test_burgers_is_solved_on_a_laptop(tmp_path):
    """Half a minute: relative L2 error of all space and time below 2e-3 (a tenth of what Adam alone reaches)."""
    problem = problem_of(Burgers(), shape=(256,))
    torch.manual_seed(0)
    model = PINN(
        problem, partial(MLP, width=20), collocation=Collocation(2048), second=SecondOrder(steps=8, iterations=100)
    )
    settings = Training(steps=308, lr=5e-3, ema=0, clip=None, validate_every=10_000)
    fit(model, NoData(problem), settings, Engine(), tmp_path, progress=False)
    t = torch.linspace(0.1, 1, 10, dtype=torch.float64)
    exact = torch.stack([problem.pde.exact()[0].on(problem.grid, time)[0] for time in t.tolist()])
    found = model.solution.frames(t)
    assert (found - exact).norm() < 2e-3 * exact.norm()
