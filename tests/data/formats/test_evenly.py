"""Grids of coordinates in files of others: box and origin of each layout."""

import numpy as np
import pytest

from pdekit.data.formats.evenly import grid_from
from pdekit.fields import Grid

CELLS = 1 + (np.arange(4) + 0.5) / 4


@pytest.mark.parametrize(
    ("points", "stated", "expected"),
    [
        (CELLS, None, ("cells", 1.0)),
        (CELLS.astype(np.float32), "cells", ("cells", 1.0)),
        (1 + np.arange(5) / 4, None, ("nodes", 1.0)),
        (1 + np.arange(4) / 4, "periodic", ("periodic", 1.0)),
        (1 + np.arange(4) / 4, "half_open", ("half_open", 1.0)),
    ],
)
def test_the_box_of_coordinates(points, stated, expected):
    layout, origin = expected
    assert grid_from("file", {"x": points}, [stated]) == Grid((len(points),), (1.0,), (origin,), (layout,))
