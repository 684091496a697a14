"""Memory of a forecast, counted by its tensors."""

import gc
import math
import weakref

import torch

from pdekit.evaluation import forecasting
from pdekit.evaluation.memory import peak_bytes
from pdekit.evaluation.opponents import solvers
from pdekit.fields import Grid, Problem, Trajectory
from pdekit.metrics.catalogue import CATALOGUE
from pdekit.metrics.pair import Known, Pair
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


def test_a_pair_is_let_go_of_with_all_that_it_keeps():
    """Reference counts do it: cycles would hold hundreds of megabytes until the collector comes."""
    problem = Problem(Grid((16,), (2 * math.pi,)), Burgers().fields, dt=0.1, n_frames=3)
    u = torch.randn(2, 3, 1, 16, generator=torch.Generator().manual_seed(0))
    gc.disable()
    try:
        known = Known(u, problem)
        pair = Pair(u + 1, known)
        for measure in CATALOGUE:
            if measure.suits(problem):
                measure.of_pair(pair)
        left = [weakref.ref(thing) for thing in (pair, pair.error, known)]
        del pair, known
        assert [thing() for thing in left] == [None] * 3
    finally:
        gc.enable()
