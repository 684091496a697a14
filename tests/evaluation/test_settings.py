"""Settings of an evaluation that mean nothing are refused, with what was expected and found."""

import pytest

from pdekit.evaluation.settings import Evaluation


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"horizon": 0}, "expected horizon >= 1, got 0"),
        ({"n_kept_members": 0}, "expected n_kept_members >= 1, got 0"),
        ({"starts": ()}, r"expected starts >= 0, at least one, got \(\)"),
        ({"timing_batches": (0,)}, "expected timing_batches >= 1"),
        ({"sweep_precisions": ("half",)}, "expected sweep_precisions among float32 and float64"),
        ({"sweep_sizes": (0.0,)}, "expected positive sizes and steps"),
        ({"sweep_refinements": (-0.5,)}, "expected positive sizes and steps"),
        ({"sweep_steps": (0,)}, "expected positive sizes and steps"),
        ({"sweep_orders": (1,)}, r"expected sweep_orders >= 2.* got \(1,\)"),
        ({"resolution": 0.5}, "expected a resolution of one number of points"),
        ({"resolutions": (0.0,)}, "expected resolutions > 0"),
        ({"compare_at": "later"}, "expected compare_at=TIME"),
    ],
)
def test_what_means_nothing_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        Evaluation(**given)


def test_what_means_something_is_taken():
    assert Evaluation(sweep_orders=(), sweep_refinements=(), judges=("fields",)).n_kept_members == 3
