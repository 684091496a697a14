"""The published caption of flow past a cylinder, word for word, so that its data and prompts can be used."""

from __future__ import annotations

VISCOSITY = 1.0533e-6  # m^2/s
LAMINAR, TRANSITION = 200, 350
"""Captioned Reynolds numbers below which the flow is called laminar, and in transition."""


def captioned_reynolds_number(radius: float, velocity: float) -> int:
    """The number in the published captions, rounded to 10: velocity * 2 radius / 100 / viscosity.

    It is a hundredth of velocity * 2 radius / viscosity, because the authors take a radius in metres for centimetres.

    >>> captioned_reynolds_number(0.05, 0.3)
    280
    """
    return 10 * round(velocity * 2 * radius / 100 / VISCOSITY / 10)


def cylinder_caption(radius: float, x: float, y: float, velocity: float) -> str:
    """The caption of one simulation.

    Source: A. Zhou et al., Text2PDE (arXiv:2410.01153), the captions of the data cylinder_flow of Pfaff et al. (2021).

    Args:
        radius: of the cylinder [m]; it is printed in centimetres, without a unit.
        x, y: its centre [m].
        velocity: mean velocity at the inlet [m/s].

    >>> cylinder_caption(0.05, 0.33, 0.2, 0.3)[:85]
    'Fluid passes over a cylinder with a radius of 5.00 and position: 0.33, 0.20. Fluid en'
    """
    number = captioned_reynolds_number(radius, velocity)
    if number < LAMINAR:
        regime = "The flow is fully laminar."
    elif number < TRANSITION:
        regime = "The flow is transitioning in the wake."
    else:
        regime = "The flow is turbulent."
    return (
        f"Fluid passes over a cylinder with a radius of {100 * radius:.2f} and position: {x:.2f}, {y:.2f}. "
        f"Fluid enters with a velocity of {velocity:.2f}. The Reynolds number is {number}. {regime}"
    )
