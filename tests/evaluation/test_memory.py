"""Memory of a forecast, counted by its tensors."""

import math

import torch

from pdekit.evaluation import forecasting
from pdekit.evaluation.memory import peak_bytes
from pdekit.evaluation.opponents import solvers
from pdekit.fields import Grid, Problem, Trajectory
from pdekit.pdes.burgers import Burgers


def test_the_peak_of_memory_counts_what_lives_at_once():
    def chain():
        u = torch.zeros(1000, dtype=torch.float64)
        for _ in range(5):
            u = u.view(10, 100).reshape(-1) * 2  # views are no memory, and each result replaces the one before
        u += 1  # in place
        return u

    assert peak_bytes(chain, torch.device("cpu")) == 16_000


def test_memory_of_a_solver_that_is_recorded_while_it_is_watched():
    problem = Problem(Grid((16,), (2 * math.pi,)), Burgers().fields, dt=0.1, n_frames=3, pde=Burgers())
    (solver,) = solvers(problem, (1.0,), (150,))[0].values()
    given = Trajectory(u=torch.sin(problem.grid.coordinates(0)).float().reshape(1, 1, 1, 16), t=torch.zeros(1, 1))
    contender = forecasting.Contender("solver", solver, "solver", 0, 1)
    contender.warm_up(given, torch.full((1, 1), 0.1, dtype=torch.float64))
    assert contender.peak_bytes > 16 * 8
