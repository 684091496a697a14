"""An electromagnetic wave warms silicon in alumina: complex Helmholtz equation and heat conduction."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Any, ClassVar

import torch

from pdekit.calculus import Calculus
from pdekit.fields import Field
from pdekit.pdes.base import SteadyPDE

VACUUM_PERMITTIVITY = 8.8541878128e-12  # F/m
LIGHT_SPEED = 299792458.0  # m/s


@dataclass(frozen=True)
class ElectroThermal(SteadyPDE):
    """The out-of-plane electric field E (complex, time as exp(j omega t)) and the rise theta of the temperature.

    With T = ambient + theta and k0 = omega / c0, in a plate of alumina with silicon in it,

        laplacian(E) + k0^2 (eps - j sigma_w / (omega eps0)) E = 0          wave
        -div(kappa grad theta) = sigma |E|^2 / 2                            heat

    with sigma = 1.602 Sigma exp(-gap / (k_B T)) and eps = 11.7 in silicon, sigma = 1e-7 S/m and eps = 1 in alumina.
    The coefficients are Sigma (0 in alumina, which distinguishes the materials) and kappa. The wave meets
    sigma_w = coupling * sigma in silicon and sigma in alumina.

    Behaviour: silicon is a strong dielectric scatterer with narrow resonances. It conducts 15 % better for each kelvin:
    near a resonance its temperature may run away. Published silicon conducts about 1e-7 S/m and changes the wave by
    less than a millionth: the published problem is one-way. From a coupling of about 1e5 silicon weakens the wave, more
    so the warmer it is.

    Limits: with coupling s > 1 only 1/s of what silicon takes from the wave becomes heat there (the rest must be
    thought of as carried off): then the two balances hold each for itself. Lengths are metres.

    Source: Multiphysics Bench (arXiv:2505.17575), problem TE_heat, which stores T and not theta. Gap and Boltzmann's
    constant in electron volts, as there.

    Args:
        frequency: [Hz].
        coupling: factor on silicon's conductivity in the equation of the wave.
        ambient: temperature around the plate [K].
        silicon_permittivity, alumina_permittivity, alumina_conductivity: [1, 1, S/m].
        gap, boltzmann: band gap of silicon and Boltzmann's constant [eV, eV/K].
        elementary: factor on Sigma.
        conductivity_prefactor: Sigma [S/m]; the field itself is a coefficient.
        alumina_conduction, silicon_conduction: kappa [W/(m K)]; the field itself is a coefficient.
        ellipse_a, ellipse_b, ellipse_angle: the silicon: semi-axes [m], and by how much the first is turned from x
            [rad].
    """

    configurable = True

    frequency: Any = 4e9
    coupling: Any = 1.0
    ambient: Any = 293.15
    silicon_permittivity: Any = 11.7
    alumina_permittivity: Any = 1.0
    alumina_conductivity: Any = 1e-7
    gap: Any = 1.12
    boltzmann: Any = 8.6173e-5
    elementary: Any = 1.602
    conductivity_prefactor: Any = 2e11
    alumina_conduction: Any = 15.0
    silicon_conduction: Any = 70.0
    ellipse_a: Any = 0.02
    ellipse_b: Any = 0.015
    ellipse_angle: Any = 0.0

    dims: ClassVar = (2,)
    fields: ClassVar = (
        Field("electric_field_real", "V/m", complex="electric_field"),
        Field("electric_field_imag", "V/m", complex="electric_field"),
        Field("temperature_rise", "K"),
    )
    coeffs: ClassVar = (Field("silicon_prefactor", "S/m"), Field("thermal_conductivity", "W/m/K"))
    equations: ClassVar = ("real part of the wave (V/m^3)", "imaginary part of the wave (V/m^3)", "heat (W/m^3)")

    @property
    def omega(self) -> Any:
        """Angular frequency [1/s]."""
        return 2 * pi * self.frequency

    @property
    def wavenumber(self) -> Any:
        """k0, in vacuum [1/m]."""
        return self.omega / LIGHT_SPEED

    def silicon_exponent(self, rise: Any) -> Any:
        """-gap / (k_B T)."""
        return -self.gap / (self.boltzmann * (self.ambient + rise))

    def residual(self, u: Any, d: Calculus) -> Any:
        real, imag, rise = d.components(u)
        prefactor, conduction = d.coeff("silicon_prefactor"), d.coeff("thermal_conductivity")
        silicon = (prefactor > 0).to(prefactor)
        alumina = (1 - silicon) * self.alumina_conductivity
        semiconductor = self.elementary * prefactor * torch.exp(self.silicon_exponent(rise))
        permittivity = silicon * self.silicon_permittivity + (1 - silicon) * self.alumina_permittivity
        loss = (alumina + self.coupling * semiconductor) / (self.omega * VACUUM_PERMITTIVITY)
        k2 = self.wavenumber**2
        wave_real = d.laplacian(real) + k2 * (permittivity * real + loss * imag)
        wave_imag = d.laplacian(imag) + k2 * (permittivity * imag - loss * real)
        heating = 0.5 * (alumina + semiconductor) * (real**2 + imag**2)
        heat = d.x(conduction * d.x(rise)) + d.y(conduction * d.y(rise)) + heating
        return d.stack(wave_real, wave_imag, heat)

    def describe(self, params: dict[str, float]) -> str:
        a, b = (self.value(name, params) for name in ("ellipse_a", "ellipse_b"))
        return (
            f"A wave of {self.value('frequency', params)} Hz warms an ellipse of silicon, {a} m by {b} m, in alumina "
            f"that conducts {self.value('alumina_conduction', params)} W/(m K)."
        )
