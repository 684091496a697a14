"""Parts of a batch: all of it, once, in order, of bounded size."""

import pytest
import torch

from pdekit.nets.parts import NUMBERS, parts


@pytest.mark.parametrize("batch", [0, 1, 5, 64])
@pytest.mark.parametrize("size", [1, 1000, NUMBERS // 3, NUMBERS, 3 * NUMBERS])
def test_parts_cover_the_batch_in_order(batch, size):
    samples = torch.arange(batch)
    slices = list(parts(samples, size))
    assert torch.equal(torch.cat([samples[part] for part in slices] or [samples]), samples)
    assert all(len(samples[part]) * size <= max(NUMBERS, size) for part in slices)


def test_devices_without_a_cache_to_fill_take_the_whole_batch():
    assert len(list(parts(torch.zeros(64, device="meta"), 3 * NUMBERS))) == 1
