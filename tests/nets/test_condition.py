"""Condition: parts of the same samples, in the order of an ensemble, and nets that refuse what they do not take."""

import pytest
import torch

from pdekit.nets.base import GridNet
from pdekit.nets.condition import Condition


@pytest.fixture
def full():
    return Condition(
        scalars=torch.arange(2.0)[:, None],
        tokens=torch.arange(24.0).reshape(2, 3, 4),
        token_mask=torch.tensor([[True, True, False], [True, False, False]]),
        fields=torch.randn(2, 1, 8),
    )


def test_members_are_the_samples_in_order_and_again(full):
    members = full.repeat(3)
    assert len(members) == 6 and members.scalars[:, 0].tolist() == [0, 1, 0, 1, 0, 1]
    for part in ("scalars", "tokens", "token_mask", "fields"):
        assert torch.equal(getattr(members[2:4], part), getattr(full, part))


def test_precision_changes_all_numbers_and_not_the_mask(full):
    double = full.to(torch.float64)
    assert {part.dtype for part in (double.scalars, double.tokens, double.fields)} == {torch.float64}
    assert double.token_mask.dtype == torch.bool and full.to("meta").token_mask.device.type == "meta"


def test_parts_of_other_samples_and_a_mask_alone_are_refused(full):
    wrong = object.__new__(Condition)  # annotations, which only tests check, would refuse it first
    vars(wrong).update(scalars=full.scalars, tokens=None, token_mask=None, fields=full.fields[:1])
    with pytest.raises(ValueError, match="got 2 of scalars, 1 of fields; cut them"):
        wrong.__post_init__()
    with pytest.raises(ValueError, match="expected tokens next to a token_mask"):
        Condition(token_mask=full.token_mask)


class Pooled(GridNet):
    """Adds the mean of the tokens that count, and a condition field, to the input."""

    def forward(self, u, condition=None):
        self.check(u, condition)
        counted = condition.token_mask[..., None]
        mean = (condition.tokens * counted).sum((1, 2)) / counted.sum((1, 2))
        return u + condition.fields + mean[:, None, None]


def test_a_net_that_declares_tokens_and_fields_gets_them(full):
    net = Pooled(1, 1, 1, n_conditions=1, token_width=4, n_condition_fields=1)
    y = net(torch.zeros(2, 1, 8), full)
    first, second = full.tokens[0, :2].sum() / 2, full.tokens[1, 0].sum()
    assert torch.allclose(y, full.fields + torch.stack((first, second))[:, None, None])
    for part, declared in (("tokens", "token_width"), ("fields", "n_condition_fields")):
        parts = {name: getattr(full, name) for name in ("scalars", "tokens", "fields") if name != part}
        with pytest.raises(ValueError, match=f"got 0; {declared} of the net"):
            net(torch.zeros(2, 1, 8), Condition(**parts))
