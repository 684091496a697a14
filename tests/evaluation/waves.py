"""Surrogates whose errors are known, on waves that travel by a grid point in each frame."""

import math

import torch

from pdekit.fields import Field, Grid, Problem, Trajectory
from pdekit.metrics.catalogue import MEASURES
from pdekit.models.base import Stepper, Surrogate
from tests.evaluation.scoring import evaluate

DT, N_FRAMES, N_TRAJECTORIES = 0.1, 13, 5
PROBLEM = Problem(Grid((16,), (2 * math.pi,)), (Field("u", "m/s"), Field("v", "K")), dt=DT, n_frames=N_FRAMES)


FEW = [MEASURES[name] for name in ("rmse", "nrmse", "correlation")]
"""Measures for tests of something else: half the time of an evaluation is spent on the others."""


class Waves:
    """A source: travelling waves, shifted by one grid point in each frame, float32, read as asked."""

    problem = PROBLEM
    n_trajectories = N_TRAJECTORIES

    def __init__(self):
        self.asked = []

    def read(self, trajectory, frames):
        self.asked.append((trajectory, frames.start, frames.stop))
        x = PROBLEM.grid.coordinates(0)
        n = torch.arange(N_FRAMES)[frames]
        phase = x - 2 * math.pi / 16 * n[:, None] + trajectory
        u = torch.stack([torch.sin(phase), 5 + torch.cos(2 * phase)], 1)[None].float()
        return Trajectory(u=u, t=(3.0 + DT * n.double())[None], index=torch.tensor([trajectory]))


class Shift(Stepper):
    """The exact step, worse by a constant share of the amplitude in each frame, or by noise."""

    def __init__(self, problem, growth=0.0, noise=0.0, history=1):
        super().__init__(problem, history, 1)
        self.growth, self.noise, self.stochastic = growth, noise, noise > 0
        self.seen = []
        self.given = []
        self.net = torch.nn.Linear(1, 1)

    @property
    def calls_per_step(self):
        return 1

    def loss(self, batch):
        raise NotImplementedError

    def step(self, frames, given, noise):
        self.seen.append(frames.shape[1])
        self.given.append(given)
        self.net(torch.zeros(1, device=frames.device))
        frame = frames[:, -1].roll(1, -1) * (1 + self.growth)
        return frame + self.noise * noise(frame, 0) if self.noise else frame


class Whole(Surrogate):
    """Made for four frames at once: exact, and records what it was asked."""

    def __init__(self, problem):
        super().__init__(problem, (2, 4))
        self.asked = []

    def calibrate(self, batches):
        pass

    def loss(self, batch):
        raise NotImplementedError

    def forecast(self, given, t, members=1, generator=None):
        self.asked.append((given.u.shape[1], t.shape[1], round(given.t[0, -1].item() - 3.0, 6)))
        n = torch.arange(1, t.shape[1] + 1)
        frames = [given.u[:, -1].roll(int(i), -1) for i in n]
        return torch.stack(frames, 1).expand(members, -1, -1, -1, -1)


def run(folder, models, **options):
    return evaluate(models, Waves(), folder, progress=False, **options)
