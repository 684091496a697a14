"""The arithmetic of a sweep in operations on whole tensors: on any device, and differentiable.

The same functions as in `pdekit.metrics.compiled`, of the same rows; spectra are complex.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pdekit.metrics.shells import Shells


def array(rows: Tensor) -> Tensor:
    """Rows of numbers, real or complex, "row value"."""
    return rows.flatten(1)


def memory(values: Tensor) -> Tensor:
    """Values that are to be written to: themselves."""
    return values


def tensor(rows: Tensor) -> Tensor:
    """What `array` has made: itself."""
    return rows


def constants(shells: Shells, like: Tensor) -> tuple[Tensor, tuple[Tensor | float, ...]]:
    """Weights of the points in a mean over space, and what `shell_sums` has to know of modes."""
    return shells.points(like.dtype, like.device), (*shells.runs(like.dtype, like.device), shells.scale)


def size(u: Tensor, weights: Tensor, mean: Tensor) -> None:
    """mean[row] = sum of weights |u|."""
    mean[:] = (weights * u.abs()).sum(1)


def difference(u: Tensor, reference: Tensor, weights: Tensor, mean: Tensor, largest: Tensor) -> Tensor:
    """e = u - reference, mean[row] = sum of weights |e|, largest[row] = max |e|."""
    error = u - reference
    size = error.abs()
    mean[:], largest[:] = (weights * size).sum(1), size.amax(1)
    return error


def shell_sums(
    u_hat: Tensor,
    added: Tensor | None,
    tables: tuple[Tensor | float, ...],
    of_one: Sequence[Tensor],
    of_sum: Sequence[Tensor] = (),
) -> None:
    """Power of each shell "row shell", slope and mean "row" of u_hat, and of u_hat + added if something is added."""
    _shell_sums(u_hat, tables, *of_one)
    if added is not None:
        _shell_sums(u_hat + added, tables, *of_sum)


def shell_products(u_hat: Tensor, other: Tensor, tables: tuple[Tensor | float, ...]) -> Tensor:
    """sum Re u_hat conj(other) of each shell, "row shell"."""
    order, starts, weights, scale = tables
    products = ((scale * u_hat) * (scale * other).conj()).real.T.contiguous()
    found = torch.nn.functional.embedding_bag(order, products, starts, mode="sum", per_sample_weights=weights)
    return found[:-1].T


def _shell_sums(u_hat: Tensor, tables: tuple[Tensor | float, ...], power: Tensor, slope: Tensor, mean: Tensor) -> None:
    """A sum over some modes is one of whole rows of them, so that they come first."""
    order, starts, weights, scale = tables
    squares = torch.view_as_real(_modes_first(scale * u_hat)).square().flatten(1)
    parts = torch.nn.functional.embedding_bag(order, squares, starts, mode="sum", per_sample_weights=weights)
    found = parts.unflatten(1, (-1, 2)).sum(-1).T
    power[:], slope[:], mean[:] = found[:, :-1], found[:, -1], scale * u_hat[:, 0].real


def _modes_first(u_hat: Tensor) -> Tensor:
    """A copy of "row mode" as "mode row". As complex numbers of 8 bytes it would take 1.7 times as long."""
    if u_hat.dtype == torch.complex64 and not u_hat.requires_grad:
        return u_hat.view(torch.float64).T.contiguous().view(torch.complex64)
    return u_hat.T.contiguous()
