"""Embedding of scalars and the gain and offset made from it."""

import torch

from pdekit.nets.conditioning import ConditionEmbedding, Modulation


def test_embedding_tells_neighbouring_levels_apart_and_is_smooth():
    embed = ConditionEmbedding(1, 64).double()
    levels = torch.linspace(0, 1, 33, dtype=torch.float64)[:, None]
    features = embed(levels)
    distances = torch.cdist(features, features) + 1e9 * torch.eye(33, dtype=torch.float64)
    assert distances.min() > 0.01
    nearby = embed(levels + 1e-6)
    assert (nearby - features).abs().max() < 1e-4


def test_embedding_sees_every_scalar():
    embed = ConditionEmbedding(3, 32).double()
    condition = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(embed(condition).square().sum(), condition)
    assert (grad.abs() > 1e-6).all()


def test_frequencies_follow_the_precision_and_are_not_saved():
    embed = ConditionEmbedding(1, 8)
    assert embed.double().frequencies.dtype == torch.float64
    assert not any("frequencies" in name for name in embed.state_dict())
    assert embed.frequencies[0] == 1 and abs(embed.frequencies[-1] - 32) < 1e-4


def test_a_new_modulation_changes_nothing():
    gain, offset = Modulation(8, 5)(torch.randn(3, 8))
    assert torch.equal(gain, torch.ones(3, 5)) and torch.equal(offset, torch.zeros(3, 5))


def test_gain_and_offset_are_affine_in_the_embedding():
    modulation = Modulation(8, 5)
    torch.nn.init.normal_(modulation.linear.weight)
    embedding = torch.randn(3, 8)
    gain, offset = modulation(embedding)
    expected = embedding @ modulation.linear.weight.T
    assert (torch.cat((gain - 1, offset), 1) - expected).abs().max() < 1e-5
