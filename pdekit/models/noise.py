"""Random numbers that depend on who draws them, and on nothing else.

The noise of a forecast is a function of (seed, member, sample, time, call): the same sample gets the same noise
alone or in a batch, on any device, and in one long forecast or in several that continue each other.
"""

from __future__ import annotations

import hashlib

import torch
from jaxtyping import Int
from torch import Tensor

from pdekit.models.philox import MASK, normal, philox


class Noise:
    """Unit normal fields for members x samples.

    Each field has a stream of its own: the four Philox words of the counter (member, sample, time, call) under the seed
    as key. Two of them are its key, two the upper half of the counter whose blocks, counted from 0, fill the field.

    Args:
        generator: its ``initial_seed`` is the seed; None takes a seed from torch's global generator.
        members: number of ensemble members; the first axis of a draw counts members, then samples.
        index: number of each sample in its split; None numbers the samples of the batch.
        n_samples: size of the batch.
    """

    def __init__(self, generator: torch.Generator | None, members: int, index: Tensor | None, n_samples: int):
        self.seed = int(torch.randint(2**62, ())) if generator is None else generator.initial_seed()
        self.members = members
        self.index = torch.arange(n_samples) if index is None else index.long()

    def draw(self, like: Tensor, ticks: Int[Tensor, "sample"], call: int = 0) -> Tensor:
        """One field for each member and sample, drawn in float64 on the device of ``like``.

        Args:
            like: "member*batch ...", gives shape, dtype and device.
            ticks: an integer time of each sample.
            call: distinguishes several draws at one time.
        """
        device, n = like.device, like.shape[1:].numel()
        members = torch.arange(self.members, device=device)[:, None]
        words = (members, self.index.to(device)[None], ticks.to(device)[None], torch.full((1, 1), call, device=device))
        counter = torch.stack([word.expand(self.members, len(ticks)) & MASK for word in words])
        key = torch.tensor([self.seed & MASK, (self.seed >> 32) & MASK], device=device).reshape(2, 1, 1)
        stream = philox(counter, key).flatten(1)[..., None]  # "word field 1"
        block = torch.arange(-(-n // 4), device=device).expand(stream.shape[1], -1)
        upper = stream[2:].expand(-1, *block.shape)
        drawn = normal(philox(torch.stack((block, torch.zeros_like(block), *upper)), stream[:2]))
        return drawn.movedim(0, -1).flatten(1)[:, :n].reshape(like.shape).to(like.dtype)


def derived_seed(*keys: int) -> int:
    """A 63-bit seed that depends on each of the keys and their order, the same on every machine.

    >>> derived_seed(0, 1) != derived_seed(1, 0)
    True
    """
    digest = hashlib.blake2b(",".join(str(key) for key in keys).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
