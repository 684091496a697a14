"""Conditioning of a net on scalars: c -> features -> a gain and an offset for each channel.

FiLM (Perez et al. 2018, https://arxiv.org/abs/1709.07871): h -> (1 + gain(c)) h + offset(c). Applied after a
normalisation without weights of its own it is AdaLN / AdaGN.
"""

from __future__ import annotations

from math import log

import torch
from jaxtyping import Float
from torch import Tensor, nn

N_FREQUENCIES = 8
MAX_FREQUENCY = 32.0  # resolves levels 1/32 apart, and stays smooth in parameters of order one


class ConditionEmbedding(nn.Module):
    """Embeds scalars c_1 ... c_s of order one into a vector.

    Every scalar is described by itself, by sin(w c) and by cos(w c) for 8 frequencies w spaced
    logarithmically from 1 to 32; a two-layer perceptron mixes the scalars.

    Args:
        n_conditions: number of scalars s.
        features: length of the vector.

    Limits: a scalar far from order one (a raw Reynolds number) aliases; normalise it first.
    """

    def __init__(self, n_conditions: int, features: int):
        super().__init__()
        self.register_buffer(
            "frequencies", torch.exp(torch.linspace(0.0, log(MAX_FREQUENCY), N_FREQUENCIES)), persistent=False
        )
        self.mlp = nn.Sequential(
            nn.Linear(n_conditions * (1 + 2 * N_FREQUENCIES), features),
            nn.SiLU(),
            nn.Linear(features, features),
            nn.SiLU(),
        )

    def forward(self, condition: Float[Tensor, "batch scalar"]) -> Float[Tensor, "batch feature"]:
        phase = condition[..., None] * self.frequencies
        features = torch.cat((condition[..., None], phase.sin(), phase.cos()), -1)
        return self.mlp(features.flatten(1))


class Modulation(nn.Module):
    """Gain and offset of ``channels`` channels from an embedded condition: two "batch channel" tensors.

    The gain includes the one of FiLM's 1 + gain. Weights start at zero, so that a new net ignores its condition.
    """

    def __init__(self, features: int, channels: int):
        super().__init__()
        self.linear = nn.Linear(features, 2 * channels)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(
        self, embedding: Float[Tensor, "batch feature"]
    ) -> tuple[Float[Tensor, "batch channel"], Float[Tensor, "batch channel"]]:
        gain, offset = self.linear(embedding).chunk(2, dim=1)
        return 1 + gain, offset
