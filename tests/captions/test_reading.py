"""Prompts as people write them."""

import pytest

from pdekit.captions.reading import read_places, read_smoke


@pytest.mark.parametrize(
    "prompt, count, cells, buoyancy",
    [
        ("two large plumes rise from the lower left and the centre, buoyancy 0.4", 2, [(0, 0), (1, 1)], 0.4),
        ("A plume of smoke at the bottom right. The buoyancy is 0.75.", 1, [(2, 0)], 0.75),
        ("Smoke with buoyancy 0.3 rises from three inlets at the left (two times) and the lower center", 3,
         [(0, 1), (0, 1), (1, 0)], 0.3),
        ("three small plumes", 3, [], None),
        ("1,000 plumes, buoyancy 2,500.5", 1000, [], 2500.5),
        ("buoyancy 0.4, 200 plumes", 200, [], 0.4),
        ("smoke rises from the middle", 1, [(1, 1)], None),
        ("a quiet box", None, [], None),
    ],
)  # fmt: skip
def test_count_places_and_buoyancy_of_a_prompt(prompt, count, cells, buoyancy):
    found = read_smoke(prompt)
    assert (found.count, list(found.cells), found.buoyancy) == (count, cells, buoyancy)


def test_sides_are_no_places():
    assert read_places("a disc in the upper left; the left and right sides are cold") == ((0, 2),)
