"""What forecasts are scored against."""

import numpy as np
import pytest

from pdekit.data import from_arrays
from pdekit.evaluation.references.stored import read


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_reference_that_is_not_finite_is_refused(value):
    u = np.random.default_rng(0).standard_normal((3, 5, 1, 8)).astype(np.float32)
    source = from_arrays(train=u, test=u, dt=0.5, extent=(1.0,)).sources["test"]
    assert read(source, [0, 2], [0, 1], slice(0, 4)).u.shape == (2, 4, 1, 8)
    source._batch.u[2, 3, 0, 1] = value  # as a file would bring it, unseen by the check of arrays
    with pytest.raises(ValueError, match=r"finite reference, found NaN or Inf in test trajectory 2 at t = 1\.5"):
        read(source, [0, 2], [0, 1], slice(0, 4))
