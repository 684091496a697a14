"""Philox4x32-10: random numbers as a function of a key and a counter, in integer arithmetic of tensors.

Ten rounds of (c0, c1, c2, c3) <- (hi(M1 c2) ^ c1 ^ k0, lo(M1 c2), hi(M0 c0) ^ c3 ^ k1, lo(M0 c0)) with keys that grow
by (W0, W1) from round to round; hi and lo are the halves of a product of 64 bits.

Source: Salmon, Moraes, Dror and Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3", section 3.3 and table 2;
test vectors of their library Random123.
"""

from __future__ import annotations

from math import pi

import torch
from jaxtyping import Float, Int
from torch import Tensor

M0, M1 = 0xD2511F53, 0xCD9E8D57
W0, W1 = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
MASK = 0xFFFFFFFF


def philox(counter: Int[Tensor, "4 *shape"], key: Int[Tensor, "2 ..."]) -> Int[Tensor, "4 *shape"]:
    """Return four random words of 32 bits for each counter and key.

    Args:
        counter: four words, 0 to 2^32 - 1, in int64.
        key: two words; its shape may broadcast with that of the counter.

    >>> words = philox(torch.zeros(4, 1, dtype=torch.int64), torch.zeros(2, 1, dtype=torch.int64))
    >>> [f"{word:08x}" for word in words[:, 0].tolist()]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    lanes = (2, *(1,) * (counter.ndim - 1))
    factors = torch.tensor([M1, M0], device=counter.device).reshape(lanes)
    growth = torch.tensor([W0, W1], device=counter.device).reshape(lanes)
    turned, kept = counter[0::2].flip(0), counter[1::2]  # (c2, c0) and (c1, c3)
    for n in range(ROUNDS):
        product = turned * factors  # of 64 bits: a negative sign is the highest of them
        turned = ((product >> 32) & MASK) ^ kept ^ ((key + n * growth) & MASK)
        turned, kept = turned.flip(0), product & MASK
    return torch.stack((turned[1], kept[0], turned[0], kept[1]))


def normal(words: Int[Tensor, "4 *shape"]) -> Float[Tensor, "4 *shape"]:
    """Return standard normal numbers in float64, two of each pair of words (Box and Muller, 1958).

    Limits: uniform numbers of 32 bits, so that no normal number is larger than 6.8.
    """
    uniform = words.double()
    radius = (-2 * ((uniform[:2] + 0.5) / 2**32).log()).sqrt()
    angle = uniform[2:] * (2 * pi / 2**32)
    return torch.cat((radius * angle.cos(), radius * angle.sin()))
