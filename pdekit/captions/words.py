"""Words of captions: numbers, lists, places and sizes, with the thresholds that tell one word from the next."""

from __future__ import annotations

from collections.abc import Sequence

COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
PLACES = (
    ("the lower left", "the left", "the upper left"),
    ("the lower centre", "the centre", "the upper centre"),
    ("the lower right", "the right", "the upper right"),
)
"""Names of the nine equal parts of a plane box, by the thirds along x and y."""


def significant(value: float, digits: int = 4) -> str:
    """A number with so many significant digits, without an exponent where that is short.

    >>> significant(0.45678), significant(2.0), significant(1.23456e-7)
    ('0.4568', '2', '1.235e-07')
    """
    return f"{value:.{digits}g}"


def count(n: int) -> str:
    """A number of things as a word, up to twelve.

    >>> count(3), count(40)
    ('three', '40')
    """
    return COUNTS[n] if n < len(COUNTS) else str(n)


def plural(n: int, thing: str) -> str:
    """A number of things.

    >>> plural(1, "plume"), plural(2, "vortex of air"), plural(0, "front")
    ('one plume', 'two vortices of air', 'no fronts')
    """
    if n == 1:
        return f"one {thing}"
    head, _, rest = thing.partition(" of ")
    many = head[:-2] + "ices" if head.endswith("vortex") else head + "s"
    return f"{count(n)} {many}{' of ' + rest if rest else ''}"


def listed(parts: Sequence[str], between: str = ", ", last: str = " and ") -> str:
    """Parts as a list.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    if len(parts) < 2:
        return "".join(parts)
    return between.join(parts[:-1]) + last + parts[-1]


def with_article(words: str) -> str:
    """Words after "a" or "an".

    >>> with_article("unsteady flow"), with_article("laminar flow")
    ('an unsteady flow', 'a laminar flow')
    """
    return f"{'an' if words[:1].lower() in 'aeiou' else 'a'} {words}"


def as_sentence(text: str) -> str:
    """A text with a capital letter and a full stop."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else text + "."


def third(position: float, low: float, length: float) -> int:
    """Return the third of an axis in which a position lies: 0, 1 or 2."""
    return min(2, max(0, int(3 * (position - low) / length)))


def place_name(x: float, y: float, origin: Sequence[float] = (0.0, 0.0), extent: Sequence[float] = (1.0, 1.0)) -> str:
    """The name of the part of a plane box in which a point lies.

    >>> place_name(0.2, 0.1), place_name(0.5, 0.5), place_name(0.9, 0.5)
    ('the lower left', 'the centre', 'the right')
    """
    return PLACES[third(x, origin[0], extent[0])][third(y, origin[1], extent[1])]


def graded(value: float, thresholds: Sequence[float], words: Sequence[str]) -> str:
    """The word for a value between thresholds, one word more than thresholds.

    >>> graded(0.5, (0.4, 0.6), ("weak", "moderate", "strong"))
    'moderate'
    """
    return words[sum(value >= threshold for threshold in thresholds)]
