"""Causal weights: what they must be, and that mistakes seen in other libraries are told from them."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pdekit.models.pinn.causality import Causality, by_time, causal_weights, chunk_means, point_weights, windows

LOSSES = st.lists(st.floats(0, 5), min_size=2, max_size=12).map(lambda v: torch.tensor(v, dtype=torch.float64))
EPS = st.floats(1e-3, 10)


def inclusive_and_normalised(losses: torch.Tensor, eps: float) -> torch.Tensor:
    """exp(-eps cumsum)/w_0, found in one library: inclusive, so that every chunk gates itself, and none is gated by
    the first."""
    weights = torch.exp(-eps * torch.cumsum(losses, 0))
    return weights / weights[0]


@given(LOSSES, EPS)
def test_the_first_weight_is_one_and_the_second_is_gated_by_the_first(losses, eps):
    weights = causal_weights(losses, eps)
    assert weights[0] == 1
    assert weights[1].item() == pytest.approx(math.exp(-eps * losses[0].item()), rel=1e-12)


@given(LOSSES, EPS)
def test_weights_never_rise_and_follow_the_definition(losses, eps):
    weights = causal_weights(losses, eps)
    assert (weights.diff() <= 0).all()
    for i, weight in enumerate(weights.tolist()):
        assert weight == pytest.approx(math.exp(-eps * sum(losses[:i].tolist())), rel=1e-9, abs=1e-300)


def test_the_inclusive_sum_fails_these_properties():
    losses, eps = torch.tensor([2.0, 1.0, 1.0], dtype=torch.float64), 0.5
    wrong, right = inclusive_and_normalised(losses, eps), causal_weights(losses, eps)
    assert wrong[0] == right[0] == 1
    assert wrong[1].item() != pytest.approx(math.exp(-eps * 2.0)), "not gated by the first term"
    raised = losses.clone()
    raised[1] = 50.0  # its own loss must not close a term's own gate
    assert inclusive_and_normalised(raised, eps)[1] < wrong[1]
    assert causal_weights(raised, eps)[1] == right[1]


def test_no_gradient_passes_through_the_weights():
    losses = torch.rand(4, dtype=torch.float64, requires_grad=True)
    weights = causal_weights(losses, 1.0)
    assert not weights.requires_grad
    (gradient,) = torch.autograd.grad((weights * losses).sum(), losses)
    assert torch.equal(gradient, weights)


def weighted_loss(points: torch.Tensor, columns_apart: bool = False) -> torch.Tensor:
    """Mean of w r^2 with r = x + t, points sorted by time."""
    order = by_time(points[:, 1])
    x = points[:, 0] if columns_apart else points[order, 0]
    squares = (x + points[order, 1]) ** 2
    weights = point_weights(squares, torch.zeros((), dtype=torch.float64), 1.0, 4)
    return (weights * squares).mean()


def test_the_loss_does_not_change_when_the_batch_is_permuted():
    t = torch.rand(32, dtype=torch.float64)
    points = torch.stack((torch.sin(7 * t), t), 1)  # place depends on time, as after residual-adaptive sampling
    shuffled = points[torch.randperm(32)]
    assert weighted_loss(shuffled) == pytest.approx(weighted_loss(points).item(), rel=1e-14)


def test_sorting_the_time_column_alone_fails_it():
    """Seen in another library: harmless for independent columns, wrong for correlated ones."""
    t = torch.rand(32, dtype=torch.float64)
    points = torch.stack((torch.sin(7 * t), t), 1)
    shuffled = points[torch.randperm(32)]
    first, second = (weighted_loss(p, columns_apart=True).item() for p in (points, shuffled))
    assert abs(first - second) > 1e-3 * abs(first)


def test_chunks_are_means_so_that_their_number_of_points_does_not_matter():
    values = torch.arange(12, dtype=torch.float64)
    assert chunk_means(values, 4).tolist() == [1.0, 4.0, 7.0, 10.0]
    assert torch.equal(chunk_means(values.repeat_interleave(5), 4), chunk_means(values, 4))


def test_the_initial_condition_gates_every_time():
    squares = torch.ones(8, dtype=torch.float64)
    exact = point_weights(squares, torch.tensor(0.0, dtype=torch.float64), 0.1, 4)
    wrong = point_weights(squares, torch.tensor(7.0, dtype=torch.float64), 0.1, 4)
    assert exact[0] == 1, "with an exact start the first chunk is open"
    assert torch.allclose(wrong, exact * math.exp(-0.7), rtol=1e-12)


def test_the_schedule_goes_on_when_the_gate_is_open_and_stops_at_its_end():
    causality = Causality((0.01, 0.1, 1.0), threshold=0.95)
    assert causality.next_stage(0, 0.9) == 0
    assert causality.next_stage(0, 0.96) == 1
    assert causality.next_stage(2, 0.99) == 2


def test_wrong_schedules_are_refused():
    for wrong in ((), (1.0, 0.1), (0.0, 1.0), (1.0, 1.0)):
        with pytest.raises(ValueError, match="increasing tolerances"):
            Causality(wrong)
    with pytest.raises(ValueError, match="threshold"):
        Causality(threshold=1.5)


def test_windows_cover_the_span():
    spans = windows(0.0, 1.0, 3)
    assert spans[0][0] == 0 and spans[-1][1] == pytest.approx(1.0)
    assert all(a[1] == b[0] for a, b in itertools.pairwise(spans))
