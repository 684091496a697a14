"""Facts that a sample is checked for: what the prompt asks for, and what the fields hold."""

from __future__ import annotations

import math
from typing import cast

from torch import Tensor

from pdekit.captions.reading import read_smoke
from pdekit.fields import Grid, Problem
from pdekit.metrics.plumes import follows_prompt, plumes_of
from pdekit.pdes.boussinesq import Boussinesq

TOO_FEW = 5  # frames that the balance of smoke needs


def facts_of(u: Tensor, text: str | None, problem: Problem) -> list[dict[str, str]]:
    """Return rows of what is asked for and found; none for problems without a check of their own.

    Args:
        u: a sample, "time channel *space".
        text: the prompt.
        problem: of the sample.
    """
    pde = problem.pde
    if not isinstance(pde, Boussinesq) or u.shape[0] < TOO_FEW or not math.isfinite(float(u.square().mean())):
        return []
    found = plumes_of(u[None], problem.grid, float(problem.dt or 0.0), pde.viscosity, pde.diffusivity)[0]
    asked = read_smoke(text or "")
    agreed = follows_prompt(found, cast(Grid, problem.grid), asked.count, asked.cells, asked.buoyancy)
    places = ", ".join(f"({x:.2f}, {y:.2f})" for x, y in found.centres)
    cells = ", ".join(f"({(x + 0.5) / 3:.2f}, {(y + 0.5) / 3:.2f})" for x, y in asked.cells)
    rows = [
        ("plumes", asked.count, len(found.centres), agreed.count),
        ("places", cells or None, places, agreed.places),
        ("buoyancy", asked.buoyancy, f"{found.buoyancy:.2f}", agreed.buoyancy),
    ]
    verdict = {None: "", True: "yes", False: "no"}
    facts = [
        {"name": name, "asked": "" if wanted is None else str(wanted), "found": str(seen), "agrees": verdict[agrees]}
        for name, wanted, seen, agrees in rows
    ]
    misfit = f"{found.misfit:.2f} of its buoyancy term"
    return [*facts, {"name": "misfit of the vorticity equation", "asked": "", "found": misfit, "agrees": ""}]
