"""What forecasts are scored against, which calls of nets they count, and how constraints act in them."""

from functools import partial

import numpy as np
import pytest
import torch

from pdekit.data import from_arrays
from pdekit.evaluation.forecasting import Contender
from pdekit.evaluation.references.stored import read
from pdekit.models.constrained import Constrained
from pdekit.models.distilled import Distilled
from pdekit.models.one_step import OneStep
from pdekit.models.residual_diffusion import ResidualDiffusion
from pdekit.models.wdno import WDNO
from tests.models.small import FunctionNet, PointwiseNet, make_batch, make_problem

STEP = partial(OneStep, net=PointwiseNet)
NESTED = {
    "residual diffusion": (partial(ResidualDiffusion, base=STEP, net=PointwiseNet), 3 * 5),
    "distilled": (partial(Distilled, teacher=partial(WDNO, net=PointwiseNet)), 1),
    "constrained": (lambda problem: Constrained(STEP(problem), ["zero_mean"]), 3),
}
"""Methods that hold another one, with the calls of nets in a forecast of three frames."""


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_reference_that_is_not_finite_is_refused(value):
    u = np.random.default_rng(0).standard_normal((3, 5, 1, 8)).astype(np.float32)
    source = from_arrays(train=u, test=u, dt=0.5, extent=(1.0,)).sources["test"]
    assert read(source, [0, 2], [0, 1], slice(0, 4)).u.shape == (2, 4, 1, 8)
    source._batch.u[2, 3, 0, 1] = value  # as a file would bring it, unseen by the check of arrays
    with pytest.raises(ValueError, match=r"finite reference, found NaN or Inf in test trajectory 2 at t = 1\.5"):
        read(source, [0, 2], [0, 1], slice(0, 4))


@pytest.mark.parametrize("method", NESTED)
def test_calls_of_nets_of_a_method_within_a_method_count(method):
    problem = make_problem()
    make, calls = NESTED[method]
    given = make_batch(problem)
    contender = Contender(method, make(problem), "surrogate", 0, 1)
    next(contender.forecast(given.known(1), given.t[:, 1:4]))
    assert [timing.calls for timing in contender.timings] == [calls]


def test_constraints_do_not_act_between_the_steps_of_a_rollout():
    """As in `Run.forecast`: integrals stay those of the first frame, and blocks of frames change nothing."""
    problem = make_problem()
    batch = make_batch(problem)
    step = STEP(problem, target="state").double()
    step.net = FunctionNet(lambda u, condition: 0.3 + u * u.abs().sqrt())
    step.calibrate([batch])
    model = Constrained(step, ["conserved:a+b", "positive"])
    wanted = model.forecast(batch.known(1), batch.t[:, 1:5])[0]
    contender = Contender("constrained", model, "surrogate", 0, 1)
    for size in (4, 1):
        found = torch.cat([frames for (frames,) in contender.forecast(batch.known(1), batch.t[:, 1:5], size=size)], 1)
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
