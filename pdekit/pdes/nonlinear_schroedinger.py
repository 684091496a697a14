"""i psi_t + D psi_xx + g |psi|^2 psi = 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sqrt
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.calculus import Calculus, Fourier
from pdekit.fields import Field, Grid
from pdekit.pdes.base import Coordinates, ExactSolution, SemilinearPDE, integral


@dataclass(frozen=True)
class NonlinearSchroedinger(SemilinearPDE):
    """Nonlinear Schroedinger: the envelope of waves in optics, deep water and condensates.

    i psi_t = -D psi_xx - g |psi|^2 psi on a periodic line, as two real fields psi = a + i b:

        a_t = -D b_xx - g (a^2 + b^2) b,    b_t = D a_xx + g (a^2 + b^2) a.

    Behaviour: g > 0 focuses: solitons that pass through one another, breathers, and the instability of a plane wave
    of amplitude A against wavenumbers k < A sqrt(2 g / D), at the rate k sqrt(D (2 g A^2 - D k^2)). g < 0 defocuses.

    Limits: that instability amplifies rounding too: a plane wave of amplitude 1 is lost after about 35 units.
    Good values: D = 0.5, g = 1 on a box of length 20 to 60, n = 256, ETDRK4 with dt = 0.002; 2 sech(x) on
    [-5, 5] until t = pi/2 (a usual benchmark of PINNs, which is not quite periodic).

    Source: Zakharov and Shabat (1972); two solitons as in Hirota (1973), the bound state of Satsuma and Yajima (1974),
    the breather of Akhmediev, Eleonskii and Kulagin (1987).

    Args:
        dispersion: D.
        nonlinearity: g.
    """

    configurable = True

    dispersion: Any = 0.5
    nonlinearity: Any = 1.0

    dims: ClassVar = (1,)
    fields: ClassVar = (Field("psi_real", complex="psi"), Field("psi_imag", complex="psi"))
    degree: ClassVar = 3

    def linear(self, psi: Any, d: Calculus) -> Any:
        a, b = d.components(psi)
        return d.stack(-(self.dispersion * d.xx(b)), self.dispersion * d.xx(a))

    def nonlinear(self, psi: Any, d: Calculus) -> Any:
        a, b = d.components(psi)
        density = a * a + b * b
        return d.stack(-(self.nonlinearity * (density * b)), self.nonlinearity * (density * a))

    def exact(self) -> tuple[ExactSolution, ...]:
        """A plane wave; where D > 0 and g > 0 also a soliton, the collision of two, a bound state of two and the
        Akhmediev breather, which are known for D = 1/2 and g = 1 and scaled: psi(x, t) = phi(x/sqrt(2 D), t)/sqrt(g).
        """
        dispersion, g = self.dispersion, self.nonlinearity

        def plane_wave(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            phase = 2 * x[0] - (4 * dispersion - 0.8**2 * g) * t
            return 0.8 * torch.cos(phase), 0.8 * torch.sin(phase)

        wave = ExactSolution("plane wave", plane_wave, (2 * pi,))
        if dispersion <= 0 or g <= 0:
            return (wave,)

        def scaled(name: str, phi: Standard, length: float, t_end: float, floor: float = 0.0) -> ExactSolution:
            def evaluate(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
                value = phi(x[0] / sqrt(2 * dispersion), torch.as_tensor(t)) / sqrt(g)
                return value.real, value.imag

            length = length * sqrt(2 * dispersion)
            return ExactSolution(name, evaluate, (length,), t_end, floor, (-length / 2,))

        return (
            wave,
            scaled("soliton", _soliton, 60.0, 2.0, 1e-14),
            scaled("collision of two solitons", _two_solitons, 50.0, 5.0, 1e-9),
            scaled("bound state", _bound_state, 40.0, 1.0, 1e-8),
            scaled("Akhmediev breather", _akhmediev, 2 * pi / BREATHER_WAVENUMBER, 6.0),
        )

    def invariants(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        d = Fourier(grid, u.dtype, u.device)
        slope = d.x(d.field(u)).samples
        density = (u**2).sum(dim=1, keepdim=True)
        energy = self.dispersion * (slope**2).sum(dim=1, keepdim=True) - self.nonlinearity / 2 * density**2
        return {
            "mass": integral(density[:, 0], grid),
            "momentum": integral(u[:, 0] * slope[:, 1] - u[:, 1] * slope[:, 0], grid),
            "energy": integral(energy[:, 0], grid),
        }

    def reflection(self, axis: int) -> tuple[int, ...]:
        return (1, 1)

    def describe(self, params: dict[str, float]) -> str:
        return (
            "Wave envelope of the nonlinear Schroedinger equation with dispersion "
            f"{self.value('dispersion', params)} and nonlinearity {self.value('nonlinearity', params)}."
        )


# Closed forms of i phi_t + phi_xx / 2 + |phi|^2 phi = 0

Standard = Callable[[Tensor, Tensor], Tensor]
BREATHER_A = 0.25  # Akhmediev's parameter, 0 < a < 1/2: which mode is unstable
BREATHER_WAVENUMBER = 2 * sqrt(1 - 2 * BREATHER_A)


def _exp_i(phase: Tensor) -> Tensor:
    return torch.complex(torch.cos(phase), torch.sin(phase))


def _soliton(x: Tensor, t: Tensor) -> Tensor:
    """Amplitude 1.2 and velocity 0.5."""
    a, v = 1.2, 0.5
    return a / torch.cosh(a * (x - v * t)) * _exp_i(v * x + (a**2 - v**2) / 2 * t)


def _two_solitons(x: Tensor, t: Tensor) -> Tensor:
    """Hirota's G/F for poles p = amplitude + i velocity, which meet near x = 0 at t = 3; both scaled by exp(size)."""
    p, start = torch.tensor([1.0 + 1.0j, 1.5 - 0.5j], dtype=torch.complex128), (-2.5, 2.0)
    eta = [q * (x - x0) + 0.5j * q * q * t for q, x0 in zip(p.tolist(), start, strict=True)]

    def pair(j: int, k: int) -> complex:  # a pole and a conjugate one
        return complex(1 / (p[j] + p[k].conj()) ** 2)

    same = complex((p[0] - p[1]) ** 2)  # two poles
    conj = [e.conj() for e in eta]
    size = eta[0].real + eta[1].real  # all exponents below are of size |eta_1| + |eta_2| at most
    exp = torch.exp
    above = [
        exp(eta[j] - size) + same * pair(0, k) * pair(1, k) * exp(eta[0] + eta[1] + conj[k] - size)
        for j, k in ((0, 0), (1, 1))
    ]
    both = abs(same) ** 2 * pair(0, 0) * pair(1, 1) * abs(pair(0, 1)) ** 2
    below = exp(-size) + both * exp(size)
    for j in range(2):
        for k in range(2):
            below = below + pair(j, k) * exp(eta[j] + conj[k] - size)
    return (above[0] + above[1]) / below


def _bound_state(x: Tensor, t: Tensor) -> Tensor:
    """From 2 sech(x); its modulus has the period pi/2."""
    wave = torch.cosh(3 * x) + 3 * _exp_i(4 * t) * torch.cosh(x)
    return 4 * _exp_i(t / 2) * wave / (torch.cosh(4 * x) + 4 * torch.cosh(2 * x) + 3 * torch.cos(4 * t))


def _akhmediev(x: Tensor, t: Tensor) -> Tensor:
    """Grows out of a plane wave of amplitude 1, peaks at t = 3, and sinks back into it."""
    a, rate = BREATHER_A, sqrt(8 * BREATHER_A * (1 - 2 * BREATHER_A))
    s = rate * (t - 3)
    above = torch.complex(2 * (1 - 2 * a) * torch.cosh(s), rate * torch.sinh(s))
    below = sqrt(2 * a) * torch.cos(BREATHER_WAVENUMBER * x) - torch.cosh(s)
    return _exp_i(t) * (1 + above / below)
