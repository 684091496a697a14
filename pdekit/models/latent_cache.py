"""Latent values of training trajectories, which are encoded once while the autoencoder rests."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Trajectory

VALUES = 2**26  # kept at most: 256 MB in single precision


class LatentCache:
    """Keeps encode(u) of trajectories by their number and the sum of their values.

    Each trajectory is encoded alone, so that its latent values do not depend on the others of its batch, and a run that
    is continued has the same ones. Trajectories beyond `VALUES` are encoded again each time.
    """

    def __init__(self):
        self._kept: dict[tuple[int, float], Tensor] = {}
        self._size = 0

    def clear(self) -> None:
        """Forget all: the encoder is another one."""
        self._kept, self._size = {}, 0

    def __len__(self) -> int:
        return len(self._kept)

    def encoded(
        self, batch: Trajectory, encode: Callable[[Trajectory], Tensor]
    ) -> Float[Tensor, "batch latent *coarse"]:
        """Return the latent values of a batch.

        Args:
            batch: normalised, with ``index``; without, nothing is kept.
            encode: of a batch of one.
        """
        sums = batch.u.flatten(1).double().sum(1).tolist()
        numbers = [None] * len(batch) if batch.index is None else batch.index.tolist()
        found = []
        for i, key in enumerate(zip(numbers, sums, strict=True)):
            z = self._kept.get(key)
            if z is None:
                z = encode(batch.samples(slice(i, i + 1)))
                if key[0] is not None and self._size + z.numel() <= VALUES:
                    self._kept[key] = z
                    self._size += z.numel()
            found.append(z.to(batch.u))
        return torch.cat(found)
