"""Captions of two-dimensional flows: their force, their Reynolds number and its regime."""

from __future__ import annotations

from math import sqrt

from pdekit.captions.sentences import Subject, box_sentence, frame_sentence, sentences_about
from pdekit.captions.words import as_sentence, graded, significant, with_article
from pdekit.pdes.navier_stokes_2d import NavierStokes2D

UNSTABLE = sqrt(2)
"""Reynolds number A / (nu^2 k^3) above which the laminar flow A sin(k y) / (nu k^2) is unstable to long waves without
drag: Meshalkin and Sinai (1961)."""
TURBULENT = 50.0
"""The same number, above which the flow is called turbulent: the datasets kolmogorov (59) and kolmogorov_re1000 (297)
are chaotic, with Lyapunov exponents of 0.39 and 0.61."""


def kolmogorov_number(viscosity: float, drag: float, forcing: float, k: float) -> float:
    """A k / (nu k^2 + drag)^2: the laminar speed A / (nu k^2 + drag) over k times the rate of decay, A/(nu^2 k^3)
    without drag."""
    rate = viscosity * k**2 + drag
    return forcing * k / rate**2 if rate > 0 else float("inf")


@sentences_about.register
def _(pde: NavierStokes2D, subject: Subject) -> list[str]:
    viscosity, drag, forcing = (subject.value(name) for name in ("viscosity", "drag", "forcing"))
    losses = f"viscosity {significant(viscosity)}" + (f" and drag {significant(drag)}" if drag else "")
    if forcing == 0:
        start = subject.wording.of(("vortices of a plane flow merge and decay", "a plane turbulent flow decays"))
        force = ""
    else:
        found = kolmogorov_number(viscosity, drag, forcing, pde.wavenumber)
        regime = graded(found, (UNSTABLE, TURBULENT), ("laminar", "unsteady", "turbulent"))
        start = subject.wording.of(
            (f"{with_article(regime)} Kolmogorov flow", f"a sinusoidal force drives {with_article(regime)} plane flow")
        )
        force = f"the force has amplitude {significant(forcing)} and wavenumber {pde.wavenumber}, "
        force += f"and the Kolmogorov number is {significant(found, 3)}"
    if subject.level == "short":
        return [as_sentence(start)]
    said = [as_sentence(f"{start} with {losses}")]
    if subject.level == "medium":
        return said
    more = [as_sentence(force)] if force else []
    return [*said, *more, *box_sentence(subject), *frame_sentence(subject)]
