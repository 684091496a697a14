"""What the page says of a prompt next to a sample."""

import torch

from pdekit.fields import Grid, Problem
from pdekit.pdes import Boussinesq
from pdekit.serving.prompt_facts import facts_of


def test_places_of_a_prompt_are_middles_of_ninths():
    """Nothing rises in a sample at rest: no plume is found where one is asked for at the lower left."""
    pde = Boussinesq()
    grid = Grid((16, 16), (1.0, 1.0), layout=("cells", "cells"))
    problem = Problem(grid, pde.fields, 0.25, 6, boundary=[("wall free_slip",) * 2] * 2, pde=pde)
    rows = {row["name"]: row for row in facts_of(torch.zeros(6, 3, 16, 16), "one plume at the bottom left", problem)}
    assert rows["places"]["asked"] == "(0.17, 0.17)" and rows["plumes"]["found"] == "0"
    assert rows["plumes"]["agrees"] == rows["places"]["agrees"] == "no"
