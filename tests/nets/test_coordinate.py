"""What coordinate nets see of a point."""

import math

import pytest
import torch

from pdekit.nets.coordinate import Domain, Embedding, FactorisedLinear, RandomParts
from pdekit.nets.mlp import MLP

BOX = Domain((-1.0, 2.0), (3.0, 6.0), (True, False))


def test_features_are_harmonics_of_the_period_and_the_scaled_time():
    points = torch.tensor([[0.3, 2.0], [1.7, 5.0]], dtype=torch.float64)
    x = 2 * math.pi / 4 * points[:, :1]
    expected = torch.cat((*(f(m * x) for f in (torch.cos, torch.sin) for m in (1, 2)), points[:, 1:] / 2 - 2), 1)
    assert torch.allclose(Embedding(BOX, harmonics=2)(points), expected, atol=1e-14)
    assert Embedding(BOX, harmonics=2).size == 5


@pytest.mark.parametrize("stretch", [1.0, 5.0])
def test_ends_become_plus_and_minus_the_stretch(stretch):
    ends = torch.tensor([[0.0, 2.0], [0.0, 4.0], [0.0, 6.0]], dtype=torch.float64)
    assert Embedding(BOX, stretch=stretch)(ends)[:, 2].tolist() == pytest.approx([-stretch, 0.0, stretch])


def test_a_stretched_net_begins_with_faster_functions():
    t = torch.linspace(2, 6, 400)[:, None]
    points = torch.cat((torch.zeros_like(t), t), 1)

    def steepness(stretch):
        torch.manual_seed(0)
        with torch.no_grad():
            u = MLP(BOX, out_channels=20, stretch=stretch)(points)
        return u.diff(dim=0).abs().max() / (u.max() - u.min())

    assert steepness(6.0) > 2.5 * steepness(1.0)


def test_random_features_keep_the_period():
    embedding = Embedding(BOX, random=RandomParts(7, scale=3.0))
    points = torch.tensor([[0.3, 2.5], [4.3, 2.5]])
    first, second = embedding(points)
    assert embedding.size == 14 and torch.allclose(first, second, atol=1e-5)
    assert torch.allclose(first[:7].square() + first[7:].square(), torch.ones(7))


def test_a_factorised_layer_is_a_linear_one():
    layer, z = FactorisedLinear(4, 3), torch.randn(5, 4)
    weight = torch.exp(layer.log_scale)[:, None] * layer.direction
    assert torch.allclose(layer(z), z @ weight.mT + layer.bias)


@pytest.mark.parametrize("options,message", [({"stretch": 0.0}, "stretch"), ({"harmonics": 0}, "harmonics")])
def test_wrong_embeddings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Embedding(BOX, **options)
    with pytest.raises(ValueError, match="the same coordinates"):
        Domain((-1.0, 2.0), (3.0,), (True, False))
