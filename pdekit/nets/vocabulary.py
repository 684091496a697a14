"""Words and numbers of captions: a vocabulary that is learnt from captions and stored with the weights."""

from __future__ import annotations

import difflib
import hashlib
import math
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"  # 1,000 is a thousand; "0.4, 200" are two numbers
PIECE = re.compile(rf"(?<![\w.])[-\u2212]?(?:{DIGITS}(?:\.\d+)?|\.\d+)(?:e[-+]?\d+)?|[^\W\d_]+|[^\w\s]", re.IGNORECASE)
NUMBER = re.compile(r"[-\u2212]?\.?\d")
LARGEST = sys.float_info.max
ROUNDING = 1e-6  # of the ends of a range, which are stored in single precision
# words that stand between the name of a quantity and its value
FILLERS = {
    "a",
    "about",
    "an",
    "and",
    "around",
    "at",
    "by",
    "equal",
    "equals",
    "in",
    "is",
    "near",
    "of",
    "the",
    "to",
    "with",
}
LETTERS = 32  # bytes of a word that are kept
BUCKETS = 16  # places for words that are not known
SCALES = tuple(10.0**k for k in range(-3, 4))
HARMONICS = (1, 2, 4)
N_FEATURES = 4 + 2 * len(HARMONICS) + len(SCALES)


@dataclass(frozen=True)
class CaptionPart:
    """A word, a sign or a number of a caption.

    Args:
        word: in lower case; "" for a number.
        value: of a number, NaN otherwise.
        key: the last word before a number that is no filler: what the number is a value of; "" if there is none.
    """

    word: str
    value: float = math.nan
    key: str = ""


def pieces(caption: str) -> Iterator[CaptionPart]:
    """Yield the words, signs and numbers of a caption.

    >>> [piece.word or (piece.value, piece.key) for piece in pieces("Buoyancy of 0.4, 2 plumes")]
    ['buoyancy', 'of', (0.4, 'buoyancy'), ',', (2.0, 'buoyancy'), 'plumes']
    """
    key = ""
    for found in PIECE.findall(caption):
        if NUMBER.match(found):
            value = float(found.replace("\u2212", "-").replace(",", ""))
            yield CaptionPart("", min(max(value, -LARGEST), LARGEST), key)
        else:
            word = _cut(found.lower())
            key = word if word[0].isalpha() and word not in FILLERS else key
            yield CaptionPart(word)


class Vocabulary(nn.Module):
    """Numbers of words, and the range of the values that followed each word in training.

    Rows 0 ... n_words - 1 are the words by falling frequency; then there is a row for numbers, and rows that words
    which are not known share by their hash. Buffers hold the words (bytes of UTF-8) and ranges, so that a checkpoint is
    complete.

    Args:
        n_words: most words that can be learnt.
    """

    def __init__(self, n_words: int = 512):
        super().__init__()
        self.n_words = n_words
        self.register_buffer("letters", torch.zeros(n_words, LETTERS, dtype=torch.uint8))
        self.register_buffer("ranges", torch.tensor([math.inf, -math.inf]).repeat(n_words, 1))
        self._numbers: dict[str, int] | None = None
        self._ranges: dict[str, tuple[float, float]] = {}

    @property
    def n_rows(self) -> int:
        """Rows of a table of embeddings."""
        return self.n_words + 1 + BUCKETS

    @property
    def numbers(self) -> dict[str, int]:
        """Number of each known word."""
        if self._numbers is None:
            rows = (bytes(row).rstrip(b"\0").decode() for row in self.letters.cpu().tolist())
            self._numbers = {word: i for i, word in enumerate(rows) if word}
            known = zip(self._numbers, self.ranges.cpu().tolist(), strict=False)
            self._ranges = {word: (low, high) for word, (low, high) in known if low <= high}
        return self._numbers

    def learn(self, captions: Sequence[str]) -> None:
        """Take words and ranges from captions, instead of those that were known.

        Raises:
            ValueError: if there are more different words than places.
        """
        found = [piece for caption in captions for piece in pieces(caption)]
        counts = Counter(piece.word for piece in found if piece.word)
        if len(counts) > self.n_words:
            raise ValueError(
                f"expected at most {self.n_words} different words in the captions, found {len(counts)}; raise n_words"
            )
        words = sorted(counts, key=lambda word: (-counts[word], word))
        self.letters.zero_()
        for i, word in enumerate(words):
            self.letters[i, : len(word.encode())] = torch.tensor(list(word.encode()), dtype=torch.uint8)
        self.ranges.copy_(torch.tensor([math.inf, -math.inf]))
        values: dict[str, list[float]] = {word: [] for word in words}
        for piece in found:
            if not piece.word and piece.key in values:
                values[piece.key].append(piece.value)
        for i, word in enumerate(words):
            if values[word]:
                self.ranges[i] = torch.tensor([min(values[word]), max(values[word])])
        self._numbers = None

    def row(self, piece: CaptionPart) -> int:
        """Return the row of a piece in a table of embeddings."""
        if not piece.word:
            return self.n_words
        known = self.numbers.get(piece.word)
        if known is not None:
            return known
        return self.n_words + 1 + hashlib.blake2b(piece.word.encode()).digest()[0] % BUCKETS

    def range_of(self, key: str) -> tuple[float, float] | None:
        """Return the smallest and largest value that followed a word in training; None if there was none."""
        return self._ranges.get(key) if self.numbers else None

    @property
    def known_ranges(self) -> dict[str, tuple[float, float]]:
        """Smallest and largest value that followed each word in training, of the words that had one."""
        return dict(self._ranges) if self.numbers else {}

    def features(self, piece: CaptionPart) -> list[float]:
        """Return the features of a number: its place in the range of its key, its sign and logarithm, tanh(v / 10^k);
        zeros for a word."""
        if piece.word:
            return [0.0] * N_FEATURES
        v, known = piece.value, self.range_of(piece.key)
        low, high = known or (0.0, 0.0)
        share = 2 * (v - low) / (high - low) - 1 if high > low else 0.0
        share = min(max(share, -3.0), 3.0)
        waves = [wave(math.pi / 2 * n * share) for n in HARMONICS for wave in (math.sin, math.cos)]
        sized = [math.copysign(math.log1p(abs(v)), v), math.copysign(1.0, v)]
        return [float(high > low), share, *waves, *sized, *(math.tanh(v / scale) for scale in SCALES)]

    def remarks(self, caption: str) -> list[str]:
        """Return a sentence for each word of a caption that is not known and each value outside the trained range, or
        after a word that had none."""
        found = []
        for piece in pieces(caption):
            if piece.word and piece.word not in self.numbers and piece.word[0].isalpha():
                close = difflib.get_close_matches(piece.word, self.numbers, 3, 0.5)
                nearest = f"; the nearest known words are {', '.join(close)}" if close else ""
                found.append(f"{piece.word!r} was not in the captions of the training{nearest}")
            if not piece.word and (not piece.key or piece.key in self.numbers):
                found += self._remarks_on_value(piece)
        return list(dict.fromkeys(found))

    def _remarks_on_value(self, piece: CaptionPart) -> list[str]:
        """Return a sentence about a number that a known word, or nothing, stands before; none if it was in training."""
        known, where = self.range_of(piece.key), f"after {piece.key!r}" if piece.key else "at the beginning"
        if known is None:
            return [
                f"{piece.value:g} {where} has no meaning, because no caption of the training has a number there; words "
                f"with numbers are {', '.join(sorted(self._ranges)) or 'none'}"
            ]
        low, high = known
        if low - ROUNDING * abs(low) <= piece.value <= high + ROUNDING * abs(high):
            return []
        return [f"{piece.value:g} {where} is outside the values of the training, {low:g} to {high:g}"]

    def _load_from_state_dict(self, state_dict, prefix, *further) -> None:
        self._numbers = None
        super()._load_from_state_dict(state_dict, prefix, *further)


def _cut(word: str) -> str:
    """Return the beginning of a word that fits into the buffer."""
    return word.encode()[:LETTERS].decode(errors="ignore")


def padded(
    rows: Sequence[Sequence[int]], features: Sequence[Sequence[Sequence[float]]]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return rows "caption piece", features "caption piece feature" and a mask of the pieces that exist."""
    longest = max([1, *(len(row) for row in rows)])
    table = torch.zeros(len(rows), longest, dtype=torch.long)
    values = torch.zeros(len(rows), longest, N_FEATURES)
    mask = torch.zeros(len(rows), longest, dtype=torch.bool)
    for i, (row, numbers) in enumerate(zip(rows, features, strict=True)):
        if row:
            table[i, : len(row)] = torch.tensor(row)
            values[i, : len(row)] = torch.tensor(numbers)
            mask[i, : len(row)] = True
    return table, values, mask
