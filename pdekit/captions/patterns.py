"""Captions of Gray-Scott's patterns: their names by feed and kill rate."""

from __future__ import annotations

from pdekit.captions.sentences import Subject, box_sentence, frame_sentence, sentences_about
from pdekit.captions.words import as_sentence, significant
from pdekit.pdes.gray_scott import GrayScott

NAMES = {
    "gliders": (0.014, 0.054),
    "bubbles": (0.098, 0.057),
    "a maze": (0.029, 0.057),
    "worms": (0.058, 0.065),
    "spirals": (0.018, 0.051),
    "spots": (0.030, 0.062),
}
"""(feed, kill) of the patterns of The Well, Ohana et al. (2024), dataset gray_scott_reaction_diffusion, for the ratio 2
of the diffusivities; the shapes are those that Pearson (1993) found."""
REACH = (0.004, 0.0015)
"""Distance in feed and kill up to which a name is used; patterns change over about twice as much."""


def pattern(feed: float, kill: float) -> str | None:
    """The name of the pattern that grows at a feed and a kill rate, None where none is known.

    >>> pattern(0.029, 0.057), pattern(0.05, 0.05)
    ('a maze', None)
    """
    for name, (known_feed, known_kill) in NAMES.items():
        if abs(feed - known_feed) <= REACH[0] and abs(kill - known_kill) <= REACH[1]:
            return name
    return None


@sentences_about.register
def _(pde: GrayScott, subject: Subject) -> list[str]:
    feed, kill = subject.value("feed"), subject.value("kill")
    name = pattern(feed, kill)
    grows = subject.wording.of(("grow into", "turn into", "form"))
    start = f"seeds of the Gray-Scott reaction {grows} {name or 'a pattern without a common name'}"
    rates = f"feed rate {significant(feed)} and kill rate {significant(kill)}"
    if subject.level == "short":
        return [as_sentence(start)]
    said = subject.wording.of((f"{start} at {rates}", f"at {rates}, {start}"))
    if subject.level == "medium":
        return [as_sentence(said)]
    spread = [f"diffusivity {letter} {significant(subject.value(f'diffusivity_{letter}'))}" for letter in "uv"]
    spread_sentence = as_sentence(f"the species spread with {' and '.join(spread)}")
    return [as_sentence(said), spread_sentence, *box_sentence(subject), *frame_sentence(subject)]
