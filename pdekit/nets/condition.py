"""Condition: what a net is given in addition to its channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Condition:
    """Scalars, tokens and fields that condition a net, for each sample of a batch.

    Args:
        scalars: numbers of order one, such as normalised parameters or the level of a noise.
        tokens: vectors, such as those of an encoded text.
        token_mask: which tokens count; all of them if None.
        fields: channels on a grid that are kept apart from those of the input.

    Raises:
        ValueError: if the parts have different numbers of samples, or there is a mask without tokens.

    >>> condition = Condition(scalars=torch.tensor([[0.1, 1.0], [0.2, 2.0]]))
    >>> condition[:1].scalars.tolist(), len(condition.repeat(3)), condition.token_width
    ([[0.10000000149011612, 1.0]], 6, 0)
    """

    scalars: Float[Tensor, "batch scalar"] | None = None
    tokens: Float[Tensor, "batch token width"] | None = None
    token_mask: Bool[Tensor, "batch token"] | None = None
    fields: Float[Tensor, "batch channel *space"] | None = None

    def __post_init__(self):
        if self.token_mask is not None and self.tokens is None:
            raise ValueError("expected tokens next to a token_mask, got none; give both")
        if len({len(part) for part in self._parts().values()}) > 1:
            found = ", ".join(f"{len(part)} of {name}" for name, part in self._parts().items())
            raise ValueError(f"expected the same number of samples in all parts of a condition, got {found}; cut them")

    @property
    def n_scalars(self) -> int:
        """Scalars of each sample, 0 without any."""
        return 0 if self.scalars is None else self.scalars.shape[1]

    @property
    def token_width(self) -> int:
        """Length of a token, 0 without any."""
        return 0 if self.tokens is None else self.tokens.shape[2]

    @property
    def n_fields(self) -> int:
        """Channels of ``fields``, 0 without any."""
        return 0 if self.fields is None else self.fields.shape[1]

    def __len__(self) -> int:
        """Return the number of samples."""
        parts = list(self._parts().values())
        return len(parts[0]) if parts else 0

    def __getitem__(self, which: slice | Tensor) -> Condition:
        """Return the condition of some of the samples."""
        return self._map(lambda part: part[which])

    def repeat(self, members: int) -> Condition:
        """Return the condition of each member of an ensemble, "member*batch": the samples in order, repeated."""
        return self._map(lambda part: part.repeat(members, *(1,) * (part.ndim - 1)))

    def to(self, like: torch.device | torch.dtype | str) -> Condition:
        """Return the condition on another device or in another precision; the mask stays boolean."""
        to_device = not isinstance(like, torch.dtype)
        return self._map(lambda part: part.to(like) if to_device or part.is_floating_point() else part)

    def _parts(self) -> dict[str, Tensor]:
        parts = {"scalars": self.scalars, "tokens": self.tokens, "token_mask": self.token_mask, "fields": self.fields}
        return {name: part for name, part in parts.items() if part is not None}

    def _map(self, change: Callable[[Tensor], Tensor]) -> Condition:
        return Condition(**{name: change(part) for name, part in self._parts().items()})


def check_condition(condition: Condition | None, n_samples: int, n_scalars: int, token_width: int, n_fields: int):
    """Raise ValueError if a condition is not what a net takes.

    Args:
        condition: of a batch; None if there is nothing.
        n_samples: samples of the batch.
        n_scalars, token_width, n_fields: of the net; 0 for what it does not take.
    """
    condition = Condition() if condition is None else condition
    if condition.n_scalars != n_scalars:
        raise ValueError(
            f"expected {n_scalars} conditions for each sample, got {condition.n_scalars}; "
            "n_conditions of the net is the number of scalars that it is given"
        )
    for found, expected, what, remedy in (
        (condition.token_width, token_width, "tokens of width", "token_width"),
        (condition.n_fields, n_fields, "fields of channels", "n_condition_fields"),
    ):
        if found != expected:
            raise ValueError(
                f"expected a condition with {what} {expected} (0: none), got {found}; {remedy} of the net must be "
                f"that of the condition: give another one, or use a net that takes {remedy}={found}"
            )
    if len(condition) not in (0, n_samples):
        raise ValueError(f"expected a condition of {n_samples} samples, as u has, got {len(condition)}; repeat it")
