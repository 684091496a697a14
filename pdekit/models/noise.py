"""Random numbers that depend on who draws them, and on nothing else.

The noise of a forecast is a function of (seed, member, sample, time): the same sample gets the same noise
alone or in a batch, on any device, and in one long forecast or in several that continue each other.
"""

from __future__ import annotations

import hashlib

import torch
from jaxtyping import Int
from torch import Tensor


class Noise:
    """Unit normal fields for members x samples.

    Args:
        generator: its ``initial_seed`` is the seed; None takes a seed from torch's global generator.
        members: number of ensemble members; the first axis of a draw counts members, then samples.
        index: which sample of its split each one is; None counts the batch.
        n_samples: size of the batch.
    """

    def __init__(self, generator: torch.Generator | None, members: int, index: Tensor | None, n_samples: int):
        self.seed = int(torch.randint(2**62, ())) if generator is None else generator.initial_seed()
        self.members = members
        self.index = list(range(n_samples)) if index is None else [int(i) for i in index]

    def draw(self, like: Tensor, ticks: Int[Tensor, "sample"], call: int = 0) -> Tensor:
        """One field for each member and sample.

        Args:
            like: "member*batch ...", gives shape, dtype and device.
            ticks: an integer time of each sample.
            call: distinguishes several draws at one time.
        """
        fields = []
        for member in range(self.members):
            for index, tick in zip(self.index, ticks.tolist(), strict=True):
                generator = torch.Generator().manual_seed(derived_seed(self.seed, member, index, tick, call))
                # drawn in float64 on the CPU, so that precision and device do not change the numbers
                fields.append(torch.randn(like.shape[1:], dtype=torch.float64, generator=generator))
        return torch.stack(fields).to(like)


def derived_seed(*keys: int) -> int:
    """A 63-bit seed that depends on each of the keys and their order, the same on every machine.

    >>> derived_seed(0, 1) != derived_seed(1, 0)
    True
    """
    digest = hashlib.blake2b(",".join(str(key) for key in keys).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
