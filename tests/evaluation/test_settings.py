"""Settings of an evaluation that mean nothing are refused, with what was expected and found."""

import numpy as np
import pytest

from pdekit.evaluation.settings import Evaluation, KeptForecasts, SolverSweep, evaluation_from


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"horizon": 0}, "expected horizon >= 1, got 0"),
        ({"sweep": None}, "expected sweep as a mapping"),
        ({"keep": {"n_members": 0}}, "keep.n_members >= 1, got 3 and 0"),
        ({"starts": ()}, r"expected starts >= 0, at least one, got \(\)"),
        ({"timing_batches": (0,)}, "expected timing_batches >= 1"),
        ({"sweep": {"precisions": ("half",)}}, "expected sweep.precisions among float32 and float64"),
        ({"sweep": {"sizes": (0.0,)}}, "expected positive sizes, refinements and steps"),
        ({"sweep": {"refinements": (-0.5,)}}, "expected positive sizes, refinements and steps"),
        ({"sweep": {"steps": (0,)}}, "expected positive sizes, refinements and steps"),
        ({"sweep": {"orders": (1,)}}, r"expected sweep.orders >= 2.* got \(1,\)"),
        ({"resolution": 0.5}, "expected a resolution of one number of points"),
        ({"resolutions": (0.0,)}, "expected resolutions > 0"),
        ({"compare_at": "later"}, "expected compare_at=TIME"),
    ],
)
def test_what_means_nothing_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        evaluation_from(given)


def test_what_means_something_is_taken():
    assert Evaluation(resolution=np.int64(64)).shape_of(2) == (64, 64)
    assert Evaluation(sweep=SolverSweep(orders=(), refinements=()), judges=("fields",)).keep.n_members == 3


def test_groups_come_from_plain_values():
    found = evaluation_from({"starts": [0, 2], "sweep": {"sizes": [0.5], "orders": []}, "keep": {"samples": [1]}})
    assert found == Evaluation(
        starts=(0, 2), sweep=SolverSweep(sizes=(0.5,), orders=()), keep=KeptForecasts(samples=(1,))
    )
    with pytest.raises(ValueError, match=r"expected the settings of sweep, found others.*'size'"):
        evaluation_from({"sweep": {"size": [1.0]}})
