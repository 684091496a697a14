"""Text encoder: a small transformer on the words and numbers of captions, trained with the model that uses it.

Numbers are features of their value, not digits, as in xVal (Golkar et al. 2023, https://arxiv.org/abs/2310.02989).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pdekit.nets.attention import Attention
from pdekit.nets.vocabulary import N_FEATURES, Vocabulary, padded, pieces

WAVELENGTH = 1000.0  # longest wavelength of the positions of words


class TextEncoder(nn.Module):
    """Captions -> a token for each word, sign and number.

    Token = embedding of the word (of a number: one embedding and a linear map of the features of its value) + position,
    then blocks of attention and a perceptron. The vocabulary is learnt from the training captions (`Vocabulary`).

    Differences from Text2PDE: RoBERTa (125 million weights, downloaded and fine-tuned) is replaced; nothing is
    downloaded. Limits: words that the training captions lack have no meaning; `Vocabulary.remarks` names them.

    Args:
        width: length of the tokens, even and a multiple of ``heads``.
        depth: number of blocks.
        heads: heads of each attention.
        n_words: most words of the vocabulary.
    """

    configurable = True

    def __init__(self, width: int = 64, depth: int = 2, heads: int = 4, n_words: int = 512):
        super().__init__()
        self.width = width
        self.vocabulary = Vocabulary(n_words)
        self.words = nn.Embedding(self.vocabulary.n_rows, width)
        nn.init.normal_(self.words.weight, std=0.5)
        self.values = nn.Linear(N_FEATURES, width)
        self.blocks = nn.ModuleList(TextBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(
        self, captions: Sequence[str]
    ) -> tuple[Float[Tensor, "batch token width"], Bool[Tensor, "batch token"]]:
        """Return the tokens and which of them exist; an empty caption has none."""
        found = [list(pieces(caption)) for caption in captions]
        rows = [[self.vocabulary.row(piece) for piece in caption] for caption in found]
        features = [[self.vocabulary.features(piece) for piece in caption] for caption in found]
        like = self.words.weight
        table, values, mask = (part.to(like.device) for part in padded(rows, features))
        values = values.to(like.dtype)
        numbers = (table == self.vocabulary.n_words)[..., None]
        x = self.words(table) + torch.where(numbers, self.values(values), 0.0)
        x = x + positions(table.shape[1], self.width).to(like)
        seen = mask | (torch.arange(mask.shape[1], device=mask.device) == 0)  # a softmax needs one token
        for block in self.blocks:
            x = block(x, seen)
        return self.norm(x), mask


class TextBlock(nn.Module):
    """x <- x + attention(norm(x)), x <- x + perceptron(norm(x)).

    Args:
        width: length of the tokens.
        heads: of the attention.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Float[Tensor, "batch token width"], mask: Bool[Tensor, "batch token"]) -> Tensor:
        x = x + self.attention(self.before(x), mask=mask)
        return x + self.perceptron(self.between(x))


def positions(n: int, width: int) -> Float[Tensor, "n width"]:
    """Return sin and cos of the number of each word, at wavelengths up to 1000 words."""
    frequencies = torch.exp(-math.log(WAVELENGTH) * torch.arange(width // 2) / max(1, width // 2 - 1))
    phase = torch.arange(n)[:, None] * frequencies
    return torch.cat((phase.sin(), phase.cos()), -1)
