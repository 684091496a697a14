"""Counter-based noise: published test vectors, normality, independence of batch, precision and device."""

import numpy as np
import pytest
import scipy.stats
import torch

from pdekit.models.noise import Noise
from pdekit.models.philox import MASK, normal, philox
from tests.pretend_device import PretendTensor, pretend

# kat_vectors of Random123, philox4x32 with 10 rounds
VECTORS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((MASK,) * 4, (MASK,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), VECTORS)
def test_the_words_are_those_of_random123(counter, key, words):
    assert tuple(philox(torch.tensor(counter)[:, None], torch.tensor(key)[:, None])[:, 0].tolist()) == words


def noise(members=1, index=None, n_samples=2, seed=1):
    return Noise(torch.Generator().manual_seed(seed), members, index, n_samples)


def test_numbers_are_standard_normal_and_independent():
    ticks = torch.tensor([16, 32])
    u = noise().draw(torch.zeros(2, 40_000, dtype=torch.float64), ticks)
    assert scipy.stats.kstest(u.flatten().numpy(), "norm").pvalue > 0.01
    assert abs(scipy.stats.kurtosis(u.flatten().numpy())) < 0.05
    others = [u[1], u[0].roll(1), u[0].roll(2), noise().draw(u, ticks, 1)[0], noise(seed=2).draw(u, ticks)[0]]
    correlations = [np.corrcoef(u[0].numpy(), other.numpy())[0, 1] for other in others]
    assert max(map(abs, correlations)) < 5 / 40_000**0.5
    assert float(normal(torch.zeros(4, 1, dtype=torch.int64)).max()) < 6.8


def test_each_key_changes_the_field():
    like = torch.zeros(1, 6, dtype=torch.float64)

    def drawn(seed=1, member=0, sample=0, tick=0, call=0):
        source = noise(member + 1, torch.tensor([sample]), seed=seed)
        return source.draw(like.expand(member + 1, -1), torch.tensor([tick]), call)[-1]

    keys = [{}, {"seed": 2}, {"seed": 1 + 2**33}, {"member": 1}, {"sample": 1}, {"tick": 1}, {"tick": -1}, {"call": 1}]
    found = torch.stack([drawn(**key) for key in keys])
    assert (torch.cdist(found, found) + 10 * torch.eye(len(keys)) > 0.5).all()


def test_a_field_does_not_depend_on_its_batch_its_size_or_its_shape():
    ticks = torch.tensor([5, 7, 9])
    whole = noise(2, torch.tensor([4, 8, 6]), 3).draw(torch.zeros(6, 3, 5), ticks)
    alone = noise(2, torch.tensor([8]), 1).draw(torch.zeros(2, 3, 5), ticks[1:2])
    assert torch.equal(whole[[1, 4]], alone)
    longer = noise(2, torch.tensor([8]), 1).draw(torch.zeros(2, 22), ticks[1:2])
    assert torch.equal(longer[:, :15], alone.flatten(1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_are_the_same_on_another_device(dtype):
    like, ticks = torch.zeros(4, 2, 9, dtype=dtype), torch.tensor([16, 48])
    expected = noise(2).draw(like, ticks, 3)
    with pretend() as device:
        found = noise(2).draw(like.to(device), ticks, 3)
        assert isinstance(found, PretendTensor) and found.dtype == dtype
        assert torch.equal(found.cpu(), expected)
