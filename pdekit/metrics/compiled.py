"""The arithmetic of a sweep in loops on a CPU, compiled by numba where it is installed (the extra ``fast``).

Each loop reads what a transform has made, or what one is about to read, once and as it lies in memory. Operations on
whole tensors (`pdekit.metrics.portable`) write squares, and modes in another order, out to memory and read them back,
and take more time than the transforms.

Arrays have rows that are fields, or the real and imaginary parts of their spectra one after the other. Sums run in the
precision of the arrays over a line of modes or `BLOCK` points, and in float64 over those.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from pdekit.metrics.shells import Shells

try:
    import numba
except ImportError:
    numba = None

BLOCK = 4096

BITS = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}
"""Integers as wide as a number: without the sign bit they are in the order of |u|, infinity and NaN last."""

Array = np.ndarray


def suits(*fields: Tensor) -> bool:
    """Whether the loops can take fields: on a CPU, of one precision, and no gradient is asked for."""
    dtype = fields[0].dtype
    return (
        numba is not None
        and dtype in (torch.float32, torch.float64)
        and all(u.device.type == "cpu" and u.dtype == dtype for u in fields)
        and not (torch.is_grad_enabled() and any(u.requires_grad for u in fields))
    )


def array(rows: Tensor) -> Array:
    """The memory of rows of numbers, or of the parts of complex ones."""
    return (torch.view_as_real(rows) if rows.is_complex() else rows).detach().flatten(1).resolve_neg().numpy()


def memory(values: Tensor) -> Array:
    """The memory of values, to be written to."""
    return values.numpy()


def tensor(rows: Array) -> Tensor:
    """The memory of rows of numbers."""
    return torch.from_numpy(rows)


def constants(shells: Shells, like: Tensor) -> tuple[Array, tuple[Array, ...]]:
    """Weights of the points in a mean over space, and what `shell_sums` has to know of modes."""
    return shells.points(like.dtype, like.device).numpy(), shells.lines(like.dtype)


def size(u: Array, weights: Array, mean: Array) -> None:
    """mean[row] = sum of weights |u|."""
    _sizes(u, weights, mean)


def difference(u: Array, reference: Array, weights: Array, mean: Array, largest: Array) -> Array:
    """e = u - reference, mean[row] = sum of weights |e|, largest[row] = max |e|."""
    error, bits = np.empty_like(u), BITS[u.dtype]
    _differences(u, reference, weights, error, error.view(bits), mean, largest.view(bits))
    return error


def shell_sums(
    u_hat: Array,
    added: Array | None,
    tables: tuple[Array, ...],
    of_one: Sequence[Array],
    of_sum: Sequence[Array] = (),
) -> None:
    """Power of each shell "row shell", slope and mean "row" of u_hat, and of u_hat + added if something is added."""
    if added is None:
        added, of_sum = u_hat[:0], [found[:0] for found in of_one]
    _shell_sums(u_hat, added, *tables, *of_one, *of_sum)


def _loop(function: Callable) -> Callable:
    """Compiled when first called, and kept on disk. Sums may be taken in any order; NaN and infinity are respected."""
    if numba is None:
        return function
    function = inspect.unwrap(function)  # a checker of types may stand around it
    options = {"nogil": True, "fastmath": {"nsz", "arcp", "contract", "reassoc"}}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # there is no folder that may be written to
        return numba.njit(**options)(function)


@_loop
def _sizes(u, weights, mean):
    for row in range(len(u)):
        total = 0.0
        for begin in range(0, u.shape[1], BLOCK):
            part = slice(begin, begin + BLOCK)
            total += _size(u[row, part], weights[part])
        mean[row] = total


@_loop
def _differences(u, reference, weights, error, bits, mean, largest):
    """``bits`` is the memory of ``error`` as integers, and ``largest`` takes those of the maximum."""
    for row in range(len(u)):
        total, most = 0.0, bits.dtype.type(0)
        for begin in range(0, u.shape[1], BLOCK):
            part = slice(begin, begin + BLOCK)
            _subtract(u[row, part], reference[row, part], error[row, part])
            total += _size(error[row, part], weights[part])
            most = max(most, _largest(bits[row, part]))
        mean[row], largest[row] = total, most


@_loop
def _shell_sums(
    u_hat, added, pairs, share, shell, square_wavenumber, multiplicity, scale,
    power, slope, mean, power_of_sum, slope_of_sum, mean_of_sum,
):  # fmt: skip
    """power[row, shell] = sum of multiplicity |v|^2 over its modes, slope[row] = that of |k|^2 times it over all modes.

    v = scale u_hat, and scale (u_hat + added) if ``added`` has rows. Squares of two lines of modes that hold the same
    wavenumbers are added before they are brought to shells. All loops stand here, and not in functions of a line each:
    their calls would take as long.
    """
    factor, n = scale[0], np.uint64(len(multiplicity))  # unsigned: it is plain that no index counts from the end
    squares, squares_of_sum = np.empty(2 * n, u_hat.dtype), np.empty(2 * n, u_hat.dtype)
    first, second = np.empty(n, u_hat.dtype), np.empty(n, u_hat.dtype)
    sums = np.empty((power.shape[1], 2), np.float64)
    both = len(added) > 0
    for row in range(len(u_hat)):
        sums[:] = 0
        slopes = slopes_of_sum = 0.0
        for pair in range(len(pairs)):
            a, b = 2 * n * pairs[pair, 0], 2 * n * pairs[pair, 1]
            line, twin = u_hat[row, a : a + 2 * n], u_hat[row, b : b + 2 * n]
            if both:
                other, other_twin = added[row, a : a + 2 * n], added[row, b : b + 2 * n]
                for m in range(2 * n):
                    v, w = factor * line[m], factor * twin[m]
                    squares[m] = v * v + w * w
                    v, w = v + factor * other[m], w + factor * other_twin[m]
                    squares_of_sum[m] = v * v + w * w
            else:
                for m in range(2 * n):
                    v, w = factor * line[m], factor * twin[m]
                    squares[m] = v * v + w * w
            total = multiplicity.dtype.type(0)
            for m in range(n):
                first[m] = share[pair] * multiplicity[m] * (squares[2 * m] + squares[2 * m + 1])
                total += square_wavenumber[pair, m] * first[m]
            slopes += total
            if both:
                total = multiplicity.dtype.type(0)
                for m in range(n):
                    second[m] = share[pair] * multiplicity[m] * (squares_of_sum[2 * m] + squares_of_sum[2 * m + 1])
                    total += square_wavenumber[pair, m] * second[m]
                slopes_of_sum += total
                for m in range(n):
                    j = shell[pair, m]
                    sums[j, 0] += first[m]
                    sums[j, 1] += second[m]
            else:
                for m in range(n):
                    sums[shell[pair, m], 0] += first[m]
        power[row], slope[row], mean[row] = sums[:, 0], slopes, factor * u_hat[row, 0]
        if both:
            power_of_sum[row], slope_of_sum[row] = sums[:, 1], slopes_of_sum
            mean_of_sum[row] = factor * (u_hat[row, 0] + added[row, 0])


@_loop
def _size(u, weights):
    total = weights.dtype.type(0)
    for p in range(len(u)):
        total += weights[p] * abs(u[p])
    return total


@_loop
def _subtract(u, reference, error):
    for p in range(len(u)):
        error[p] = u[p] - reference[p]


@_loop
def _largest(bits):
    """The largest number, sign aside, as bits: a comparison of floating-point numbers would pass over NaN, or take each
    number by itself."""
    most, all_but_sign = bits.dtype.type(0), np.iinfo(bits.dtype).max
    for p in range(len(bits)):
        most = max(most, bits[p] & all_but_sign)
    return most
