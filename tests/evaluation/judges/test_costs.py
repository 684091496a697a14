"""What forecasts are said to cost."""

import dataclasses
import math
import time
from types import SimpleNamespace

import pytest
import torch

from pdekit.evaluation import forecasting
from pdekit.evaluation.judges.costs import cost_attrs
from pdekit.evaluation.settings import KeptForecasts
from pdekit.evaluation.training_cost import NOT_RECORDED, Spent
from pdekit.fields import Grid, Problem
from pdekit.metrics.catalogue import MEASURES
from pdekit.models.baselines.mean import Mean
from pdekit.models.baselines.persistence import Persistence
from pdekit.models.baselines.solver import Solver
from pdekit.pdes import Advection
from pdekit.settings import Engine
from pdekit.training.module import evaluation_device
from tests.evaluation.scoring import evaluate
from tests.evaluation.waves import DT, N_FRAMES, PROBLEM, Shift, Waves, Whole, run


def test_costs(tmp_path):
    class Slow(Shift):
        def step(self, frames, given, noise):
            time.sleep(0.002)
            return super().step(frames, given, noise)

    options = {
        "timing_batches": (1, 10),
        "batch_size": 5,
        "spent": {"slow": Spent(12.0, 30.0, "")},
        "data_seconds": 3.0,
        "horizon": 4,
    }
    with run(tmp_path, {"slow": Slow(PROBLEM)}, baselines={"persistence": Persistence(PROBLEM)}, **options) as scores:
        assert scores.batch.values.tolist() == [1, 5, 10]
        per_call = scores.seconds_by_batch.sel(model="slow") * scores.batch
        assert (per_call > 4 * 0.002).all() and (scores.seconds_by_batch.sel(model="slow").diff("batch") < 0).all()
        assert scores.training_seconds.values.tolist() == [12, 0] and scores.attrs["data_seconds"] == 3
        assert scores.training_joules.values.tolist() == [30, 0] and "energy_absent" not in scores.attrs
        assert scores.precision.values.tolist() == ["float32", ""] and scores.compiled == "nothing is compiled"
        assert scores.attrs["precision"].startswith("float32 for surrogates") and scores.device == "cpu"
        one_frame = 2 * 16 * 4
        assert one_frame <= int(scores.peak_bytes.sel(model="slow")) <= 20 * one_frame


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(forecasting.time, "perf_counter", lambda: self.now)


def test_long_forecasts_are_timed_by_their_beginning(monkeypatch):
    """Setting up takes 5 s and each frame 1 s for each sample: exact, though only ten frames of 200 are made."""
    clock = Clock(monkeypatch)

    class Ticking(Shift):
        def forecast(self, given, t, members=1, generator=None):
            clock.now += 5.0 if float(t[0, 0]) < 3.0 + 1.5 * DT else 0.0
            return super().forecast(given, t, members, generator)

        def step(self, frames, given, noise):
            clock.now += len(frames)
            return super().step(frames, given, noise)

    model = Ticking(PROBLEM)
    contender = forecasting.Contender("ticking", model, "surrogate", 0, 1)
    given = Waves().read(0, slice(0, 1))
    t = 3.0 + DT * torch.arange(1, 201, dtype=torch.float64)[None]
    assert contender.seconds_with(1, given, t) == pytest.approx(5 + 200)
    assert len(model.seen) == forecasting.TIMED_FRAMES + 1  # too long to be repeated
    monkeypatch.setattr(forecasting, "LONG", math.inf)
    assert contender.seconds_with(1, given, t) == pytest.approx(5 + 200)
    assert len(model.seen) == (1 + forecasting.REPEATS) * (forecasting.TIMED_FRAMES + 1)
    assert contender.seconds_with(4, given, t) == pytest.approx(5 / 4 + 200)
    assert contender.timings == []


def test_long_batches_are_timed_fewer_times(monkeypatch):
    """A frame of four samples takes 0.8 s: two frames are made twice, one frame three times."""
    clock = Clock(monkeypatch)

    class Ticking(Shift):
        def step(self, frames, given, noise):
            clock.now += 0.2 * len(frames)
            return super().step(frames, given, noise)

    model = Ticking(PROBLEM)
    contender = forecasting.Contender("ticking", model, "surrogate", 0, 1)
    t = 3.0 + DT * torch.arange(1, 21, dtype=torch.float64)[None]
    assert contender.seconds_with(4, Waves().read(0, slice(0, 1)), t) == pytest.approx(20 * 0.2)
    assert len(model.seen) == 2 * 2 + 3


def test_a_solver_of_one_sample_after_the_other_is_timed_with_one(monkeypatch):
    class AsAWhole(Persistence):
        simulator = SimpleNamespace(steps=False)
        precision = "float64"

        def march(self, given, t, size):
            solved.append(len(given))
            yield given.u[:, -1:].expand(-1, t.shape[1], -1, -1)

    solved = []
    contender = forecasting.Contender("solver", AsAWhole(PROBLEM), "solver", 0, 1)
    t = 3.0 + DT * torch.arange(1, 5, dtype=torch.float64)[None]
    contender.seconds_with(64, Waves().read(0, slice(0, 1)), t)
    assert solved and set(solved) == {1}


def test_whole_trajectory_models_are_timed_by_their_stretches(monkeypatch):
    clock = Clock(monkeypatch)

    class Ticking(Whole):
        def forecast(self, given, t, members=1, generator=None):
            clock.now += 7.0  # whatever the number of frames
            return super().forecast(given, t, members, generator)

    contender = forecasting.Contender("whole", Ticking(PROBLEM), "surrogate", 0, 1)
    t = 3.0 + DT * torch.arange(2, 200, dtype=torch.float64)[None]  # 198 frames in stretches of four
    assert contender.seconds_with(1, Waves().read(0, slice(0, 2)), t) == pytest.approx(50 * 7)


def test_the_scored_forecasts_are_timed_without_the_scores(tmp_path, monkeypatch):
    clock = Clock(monkeypatch)

    class Ticking(Shift):
        def step(self, frames, given, noise):
            clock.now += 2.0 * len(frames)
            return super().step(frames, given, noise)

    with run(tmp_path, {"ticking": Ticking(PROBLEM)}, batch_size=2, timing_batches=(1,), horizon=6) as scores:
        assert float(scores.seconds_per_forecast[0]) == 12 and scores.seconds_by_batch.values.tolist() == [[12, 12]]


FLOW = Problem(Grid((16,), (2 * math.pi,)), Advection().fields, dt=DT, n_frames=N_FRAMES, pde=Advection())


class Eight(Waves):
    """As many trajectories as are wanted."""

    n_trajectories = 8


class Sines(Eight):
    """One field, of an equation that has a solver."""

    problem = FLOW

    def read(self, trajectory, frames):
        found = super().read(trajectory, frames)
        return dataclasses.replace(found, u=found.u[:, :, :1])


def slow_stepper(clock):
    class Slow(Shift):
        def step(self, frames, given, noise):
            clock.now += 10.0  # whatever the size of the batch
            return super().step(frames, given, noise)

    return Slow(PROBLEM), "models", Eight(), 12, 60.0


def slow_whole(clock):
    class Slow(Whole):
        def forecast(self, given, t, members=1, generator=None):
            clock.now += 40.0  # of four frames, whatever their number
            return super().forecast(given, t, members, generator)

    return Slow(PROBLEM), "models", Eight(), 8, 40.0


def slow_solver(clock):
    class Slow(Solver):
        def march(self, given, t, size):
            for frames in super().march(given, t, size):
                clock.now += 10.0 * frames.shape[1]
                yield frames

    return Slow(FLOW), "solvers", Sines(), 12, 60.0


def slow_case(clock):
    class Slow(Persistence):
        """As a case in time, it solves every sample to its end, whatever the times that are asked for."""

        def __init__(self, problem):
            super().__init__(problem)
            self.window = (1, "all")

        def forecast(self, given, t, members=1, generator=None):
            clock.now += 60.0 * len(given)
            return super().forecast(given, t, members, generator)

    return Slow(PROBLEM), "solvers", Eight(), 12, 60.0


@pytest.mark.parametrize("make", [slow_stepper, slow_whole, slow_solver, slow_case])
@pytest.mark.parametrize("samples", [2, 3, 6, 8])  # one to four batches of two; of three samples, the second has one
def test_the_time_of_a_forecast_is_the_same_in_any_number_of_batches(tmp_path, monkeypatch, make, samples):
    """Neither the short forecasts of the warm-up nor a smaller last batch are counted."""
    clock = Clock(monkeypatch)
    model, kind, source, horizon, expected = make(clock)
    options = {
        "horizon": horizon,
        "batch_size": 2,
        "n_trajectories": samples,
        "progress": False,
        "keep": KeptForecasts(n_samples=1),
    }
    little = {"judges": ["costs", "fields"], "measures": [MEASURES["nrmse"]]}
    models = {"models": {}} | {kind: {"slow": model}}
    with evaluate(source=source, folder=tmp_path, **models, **options, **little) as scores:
        assert float(scores.seconds_per_forecast[0]) == pytest.approx(expected)
        assert float(scores.seconds_by_batch.sel(batch=2)[0]) == pytest.approx(expected)


def test_where_a_model_lives():
    assert forecasting.device_of(Persistence(PROBLEM)) == forecasting.CPU
    assert forecasting.device_of(Mean(PROBLEM).to("meta")) == torch.device("meta")
    flow = Problem(Grid((16,), (1.0,)), Advection().fields, dt=0.1, n_frames=3, pde=Advection())
    assert forecasting.device_of(Solver(flow).to("meta")) == torch.device("meta"), "it has no parameters, but a place"
    assert forecasting.device_of(Shift(PROBLEM).to("meta")) == torch.device("meta")


def test_a_run_is_evaluated_where_it_was_trained(monkeypatch):
    for accelerator in ("gpu", "cpu"):
        assert evaluation_device(Engine(accelerator=accelerator)) == torch.device("cpu"), "there is no GPU here"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for accelerator in ("gpu", "auto"):
        assert evaluation_device(Engine(accelerator=accelerator)) == torch.device("cuda")
    assert evaluation_device(Engine(accelerator="cpu")) == torch.device("cpu")


@pytest.mark.slow
def test_precisions_and_compilation():
    flow = Problem(Grid((16,), (1.0,)), Advection().fields, dt=0.1, n_frames=3, pde=Advection())
    solver = forecasting.Contender("solver", Solver(flow, precision="float32"), "solver", 0, 1)
    double = forecasting.Contender("double", Shift(PROBLEM).double(), "surrogate", 0, 1)
    attrs = cost_attrs([double, solver], forecasting.CPU, {"double": Spent()})
    assert (solver.precision, double.precision) == ("float32", "float64") and not double.compiled
    assert attrs["precision"].startswith("float64 for surrogates") and attrs["energy_absent"] == NOT_RECORDED
    double.model.net = torch.compile(double.model.net)
    assert cost_attrs([double, solver], forecasting.CPU, {})["compiled"] == "compiled beforehand: double"


@pytest.mark.gpu
def test_everything_runs_on_a_gpu(tmp_path):
    with run(tmp_path, {"exact": Shift(PROBLEM)}, baselines={"mean": Mean(PROBLEM)}, device="cuda") as scores:
        assert scores.device.startswith("cuda (") and float(scores.nrmse.sel(model="exact").max()) < 1e-5
