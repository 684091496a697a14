"""A small problem and a batch of it, for the tests of methods."""

import pytest

from pdekit.fields import Problem, Trajectory
from tests.models.small import make_batch, make_problem


@pytest.fixture
def problem() -> Problem:
    return make_problem()


@pytest.fixture
def batch(problem) -> Trajectory:
    return make_batch(problem)
