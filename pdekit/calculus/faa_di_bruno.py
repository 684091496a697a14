"""Multi-indices and the two sums over them: Leibniz for products, Faa di Bruno for compositions.

    D^a (f g)  = sum over b <= a of binomial(a, b) D^b f D^(a-b) g
    D^a f(z)   = sum over partitions of a into b_1 ... b_k of f^(k)(z) D^b_1 z ... D^b_k z

Loops instead of `max` and `prod` of generators: compilers of graphs follow the former only.

A multi-index counts derivatives along each coordinate: with coordinates (x, t), (2, 1) is u_xxt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import product
from math import comb

MultiIndex = tuple[int, ...]
MAX_ORDER = 4


def below(index: MultiIndex) -> Iterator[MultiIndex]:
    """All multi-indices b <= index, the zero one first.

    >>> list(below((1, 1)))
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    return product(*(range(n + 1) for n in index))


def closure(indices: Iterable[MultiIndex]) -> tuple[MultiIndex, ...]:
    """The smallest set that holds the indices and everything below them, sorted by order, zero first.

    >>> closure([(2, 0), (0, 1)])
    ((0, 0), (0, 1), (1, 0), (2, 0))

    Raises:
        ValueError: for a derivative of order above 4.
    """
    found = {b for index in indices for b in below(index)}
    highest = 0
    for index in found:
        highest = max(highest, sum(index))
    if highest > MAX_ORDER:
        raise ValueError(
            f"expected derivatives up to order {MAX_ORDER} in Taylor mode, found order {highest}; "
            "use nested differentiation (derivatives=nested)"
        )
    return tuple(sorted(found, key=lambda index: (sum(index), index)))


def binomial(index: MultiIndex, part: MultiIndex) -> int:
    """Count how often D^part f D^(index - part) g occurs in D^index (f g).

    >>> binomial((2, 1), (1, 0))
    2
    """
    count = 1
    for n, k in zip(index, part, strict=True):
        count *= comb(n, k)
    return count


@cache
def partitions(index: MultiIndex) -> tuple[tuple[int, tuple[MultiIndex, ...]], ...]:
    """(multiplicity, parts) of every way to share the single derivatives of `index` among factors.

    >>> for multiplicity, parts in partitions((3,)):
    ...     print(multiplicity, parts)
    1 ((3,),)
    3 ((1,), (2,))
    1 ((1,), (1,), (1,))
    """
    singles = [axis for axis, n in enumerate(index) for _ in range(n)]
    counts: Counter[tuple[MultiIndex, ...]] = Counter()
    for blocks in _set_partitions(singles):
        parts = [tuple(block.count(axis) for axis in range(len(index))) for block in blocks]
        counts[tuple(sorted(parts))] += 1
    return tuple((n, parts) for parts, n in sorted(counts.items(), key=lambda item: (len(item[0]), item[0])))


def _set_partitions(items: list[int]) -> Iterator[list[list[int]]]:
    if not items:
        yield []
        return
    first, rest = items[0], items[1:]
    for blocks in _set_partitions(rest):
        for i, block in enumerate(blocks):
            yield [*blocks[:i], [first, *block], *blocks[i + 1 :]]
        yield [[first], *blocks]
