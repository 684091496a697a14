"""Compare the cost of functions fairly on a machine that does other work too.

Functions take turns in short chunks of processor time, and what is reported is the median over rounds of the ratio
between two functions in the same round: load that slows one of them slows its neighbour alike.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

Times = dict[str, list[float]]


def take_turns(functions: dict[str, Callable[[], object]], rounds: int = 15, chunk: float = 0.05) -> Times:
    """Processor seconds per call of each function, for each round.

    Args:
        functions: what to time, by name; each is called twice first.
        rounds: how often each has its turn.
        chunk: processor seconds of a turn, at least one call.
    """
    calls = {}
    for name, function in functions.items():
        function(), function()
        calls[name] = max(1, round(chunk / max(_seconds(function, 1), 1e-7)))
    times: Times = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            times[name].append(_seconds(function, calls[name]))
    return times


def _seconds(function: Callable[[], object], calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        function()
    return (time.process_time() - start) / calls


def ratio(times: Times, name: str, to: str) -> float:
    """Median over rounds of the cost of one function relative to another."""
    return statistics.median(a / b for a, b in zip(times[name], times[to], strict=True))


def spread(times: Times, name: str, to: str) -> float:
    """Half the distance between the quartiles of that ratio."""
    ratios = [a / b for a, b in zip(times[name], times[to], strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    return (high - low) / 2


def microseconds(times: Times, name: str) -> float:
    """Smallest cost of one call over the rounds."""
    return 1e6 * min(times[name])


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
