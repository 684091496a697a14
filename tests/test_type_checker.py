"""The decorator of the tests finds what that of jaxtyping finds."""

from dataclasses import dataclass

import pytest
import torch
from jaxtyping import Float, TypeCheckError
from torch import Tensor

from pdekit.fields import Grid
from pdekit.metrics.attractors import _directions
from tests.type_checker import MARK, lean


@lean
def summed(a: Float[Tensor, "time space"], b: Float[Tensor, "time"], scale: float = 1.0) -> Float[Tensor, "space"]:
    return (scale * a).sum(int(scale) - 1)


@lean
def halved(n: int, later: "Unknown" = None) -> int:
    return n / 2 if n % 2 else n // 2


@lean
@dataclass
class Box:
    side: float
    value: Float[Tensor, "2 n"]


def test_arguments_and_what_is_returned_are_checked():
    a, b = torch.zeros(2, 3), torch.zeros(2)
    assert summed(a, b, 1).shape == (3,) and halved(4, later="anything") == 2
    for call in (
        lambda: summed(a, torch.zeros(3)),  # another "time"
        lambda: summed(a, b.long()),
        lambda: summed(a, b, scale="1"),
        lambda: summed(a, b, 2.0),  # returns "time" in place of "space"
        lambda: halved(3),
        lambda: halved(2.0),
    ):
        with pytest.raises(TypeCheckError):
            call()
    assert summed(torch.zeros(4, 5), torch.zeros(4)).shape == (5,), "sizes are those of one call"


def test_fields_of_a_dataclass_are_checked():
    assert Box(1, torch.zeros(2, 3)).side == 1
    with pytest.raises(TypeCheckError):
        Box(1.0, torch.zeros(3, 3))


def test_pdekit_is_checked_with_it():
    assert hasattr(Grid.__init__, MARK) and hasattr(Grid.coordinates, MARK)
    with pytest.raises(TypeCheckError):
        Grid((8,), (1.0,)).coordinates("x")
    assert len(_directions(2)) == 2, "the length of an axis is an argument"
