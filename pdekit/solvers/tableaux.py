"""Butcher tableaux: a Runge-Kutta scheme is a table of numbers and the order that it declares.

Equations here do not depend on time explicitly (a source is constant), so the nodes c are only the row sums of a.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import sqrt

Rows = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Tableau:
    """An explicit scheme: U_i = u + dt sum_{j<i} a_ij F(U_j), u(t+dt) = u + dt sum_i b_i F(U_i).

    Args:
        order: order of accuracy in dt.
        a: strictly lower triangle, row i holds a_i0 ... a_i(i-1); the first row is empty.
        b: weights, one for each stage.
    """

    order: int
    a: Rows
    b: tuple[float, ...]


@dataclass(frozen=True)
class ImexTableau:
    """An additive pair for u_t = L u + N(u), with N explicit and L diagonally implicit.

    U_i = u + dt sum_{j<i} explicit_ij N(U_j) + dt sum_{j<=i} implicit_ij L U_j, and u(t+dt) with the weights.

    Args:
        order: order of accuracy in dt where dt L is not large; a stiff L may lower it to that of the stages.
        explicit: strictly lower triangle.
        implicit: lower triangle with its diagonal.
        explicit_b, implicit_b: weights.
    """

    order: int
    explicit: Rows
    implicit: Rows
    explicit_b: tuple[float, ...]
    implicit_b: tuple[float, ...]


def _row(text: str) -> tuple[float, ...]:
    """Fractions, rounded once: "1/3 2" is (0.333..., 2.0)."""
    return tuple(float(Fraction(entry)) for entry in text.split())


def _rows(*lines: str) -> Rows:
    return tuple(_row(line) for line in lines)


EXPLICIT: dict[str, Tableau] = {
    "euler": Tableau(1, _rows(""), _row("1")),
    "midpoint": Tableau(2, _rows("", "1/2"), _row("0 1")),
    "heun": Tableau(2, _rows("", "1"), _row("1/2 1/2")),
    # strong stability preserving: Shu and Osher (1988), equation 2.18
    "ssprk3": Tableau(3, _rows("", "1", "1/4 1/4"), _row("1/6 1/6 2/3")),
    # Kutta (1901)
    "rk4": Tableau(4, _rows("", "1/2", "0 1/2", "0 0 1"), _row("1/6 1/3 1/3 1/6")),
}

_GAMMA = 1 - 1 / sqrt(2)  # makes the implicit half of ARS(2,2,2) L-stable
_DELTA = 1 - 1 / (2 * _GAMMA)
_ARK4_B = _row("82889/524892 0 15625/83664 69875/102672 -2260/8211 1/4")

IMEX: dict[str, ImexTableau] = {
    # forward and backward Euler, ARS(1,1,1)
    "euler": ImexTableau(1, _rows("", "1"), _rows("0", "0 1"), _row("1 0"), _row("0 1")),
    # Ascher, Ruuth and Spiteri (1997), section 2.6
    "ars222": ImexTableau(
        2,
        ((), (_GAMMA,), (_DELTA, 1 - _DELTA)),
        ((0.0,), (0.0, _GAMMA), (0.0, 1 - _GAMMA, _GAMMA)),
        (_DELTA, 1 - _DELTA, 0.0),
        (0.0, 1 - _GAMMA, _GAMMA),
    ),
    # Ascher, Ruuth and Spiteri (1997), section 2.8
    "ars443": ImexTableau(
        3,
        _rows("", "1/2", "11/18 1/18", "5/6 -5/6 1/2", "1/4 7/4 3/4 -7/4"),
        _rows("0", "0 1/2", "0 1/6 1/2", "0 -1/2 1/2 1/2", "0 3/2 -3/2 1/2 1/2"),
        _row("1/4 7/4 3/4 -7/4 0"),
        _row("0 3/2 -3/2 1/2 1/2"),
    ),
    # ARK4(3)6L[2]SA: Kennedy and Carpenter (2003), appendix C; explicit half stabilised on the imaginary axis
    "ark4": ImexTableau(
        4,
        _rows(
            "",
            "1/2",
            "13861/62500 6889/62500",
            "-116923316275/2393684061468 -2731218467317/15368042101831 9408046702089/11113171139209",
            "-451086348788/2902428689909 -2682348792572/7519795681897 12662868775082/11960479115383 "
            "3355817975965/11060851509271",
            "647845179188/3216320057751 73281519250/8382639484533 552539513391/3454668386233 "
            "3354512671639/8306763924573 4040/17871",
        ),
        _rows(
            "0",
            "1/4 1/4",
            "8611/62500 -1743/31250 1/4",
            "5012029/34652500 -654441/2922500 174375/388108 1/4",
            "15267082809/155376265600 -71443401/120774400 730878875/902184768 2285395/8070912 1/4",
            "82889/524892 0 15625/83664 69875/102672 -2260/8211 1/4",
        ),
        _ARK4_B,
        _ARK4_B,
    ),
}
