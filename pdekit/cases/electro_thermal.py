"""A plane electromagnetic wave warms an ellipse of silicon in a plate of alumina, by curved finite elements."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from math import pi
from typing import Any, ClassVar

import numpy as np

from pdekit.cases.base import Case, Draw, Solved, coupling_strength
from pdekit.cases.finite_elements import (
    Ellipse,
    real_and_imaginary,
    require_ngsolve,
    square_mesh,
    values_on_grid,
)
from pdekit.fields import Grid
from pdekit.pdes.electro_thermal import VACUUM_PERMITTIVITY, ElectroThermal

LENGTH = 0.128  # m, of the sides of the plate, which is centred at the origin
MELTING = 1687.0  # K, of silicon
# published silicon conducts so little that the wave does not feel it: weak and strong lie above
STRENGTHS = {"off": 0.0, "weak": 3e5, "published": 1.0, "strong": 1e7}


@dataclass(frozen=True)
class ElectroThermalCase(Case):
    """A square plate of alumina of 128 mm with an ellipse of silicon in its middle, in open space.

    The plane wave `amplitude` exp(-j k0 (x cos + y sin)) comes at the angle `direction`; what the silicon scatters
    leaves through an absorbing layer around the plate. The plate cools on its four sides by `cooling` theta per area.
    Semi-axes U[10, 30] mm and U[10, 20] mm, angle U[0, 2 pi], Sigma an integer of [1e11, 3e11], alumina's kappa
    U[10, 20] W/(m K), as Multiphysics Bench draws them.

    Near a resonance silicon takes so much power that it conducts better the warmer it is, without end: about 3 % of the
    published draws have no steady temperature. They are drawn again, by a rule that is the same for all couplings.

    Args:
        coupling: the setting of the knob: silicon's conductivity in the equation of the wave is multiplied by 0 (off),
            3e5 (weak), 1 (published) or 1e7 (strong).
        order: order of the elements.
        size: size of the elements [m]; those of the silicon are a quarter as large, a seventh of the wave there.
        layer, stretching: width [m] of the absorbing layer and how much faster than kappa the field decays in it.
        amplitude, direction, cooling: [V/m, rad, W/(m^2 K)].
        warmest: rise of silicon's temperature [K] from which a draw is taken for a runaway.
        tolerance: relative change of theta at which the iteration between wave and heat stops.
    """

    configurable = True

    coupling: str = "published"
    order: int = 4
    size: float = 0.012
    layer: float = 0.03
    stretching: float = 2.0
    amplitude: float = 3e5
    direction: float = pi / 3
    cooling: float = 15.0
    warmest: float = 15.0
    tolerance: float = 1e-6

    version: ClassVar[int] = 2
    params: ClassVar[tuple[str, ...]] = (
        *("ellipse_a", "ellipse_b", "ellipse_angle"),
        *("conductivity_prefactor", "alumina_conduction"),
    )

    def __post_init__(self):
        coupling_strength(self.coupling, STRENGTHS)

    @property
    def pde(self) -> ElectroThermal:
        return ElectroThermal(coupling=coupling_strength(self.coupling, STRENGTHS))

    @property
    def has_mask(self) -> bool:
        return False

    def draw(self, generator: np.random.Generator) -> Draw:
        for _ in range(100):
            params = self.propose(generator)
            if self.settles(params):
                return Draw(params)
        raise ValueError(f"expected a steady temperature in one of 100 draws, got none; lower the amplitude in {self}")

    def propose(self, generator: np.random.Generator) -> dict[str, float]:
        """The published distribution."""
        a, b, angle, conduction = generator.uniform((0.01, 0.01, 0.0, 10.0), (0.03, 0.02, 2 * pi, 20.0)).tolist()
        prefactor = float(generator.integers(10**11, 3 * 10**11, endpoint=True))
        return dict(zip(self.params, (a, b, angle, prefactor, conduction), strict=True))

    def settles(self, params: dict[str, float]) -> bool:
        """Return whether silicon stays below `warmest` in a wave that it does not weaken, without coupling."""
        cold = dataclasses.replace(self, coupling="off")
        try:
            plate = WarmPlate(dataclasses.replace(cold.pde, **params), cold)
        except ValueError:
            return False
        return plate.rise(plate.mesh(0.0, 0.0)) < self.warmest

    def solve(self, drawn: Draw, grid: Grid, refinement: float = 1.0) -> Solved:
        return WarmPlate(dataclasses.replace(self.pde, **drawn.params), self, refinement).sample(grid)


class WarmPlate:
    """One plate, solved: its mesh and the functions on it. The mesh goes on beyond the plate, in the "ring".

    Attributes:
        mesh: with the sides "left", "right", "bottom" and "top" and the "ellipse"; its materials `parts` are the plate.
        incident, scattered, total: the electric field.
        rise: rise of the temperature.
        prefactor, conduction: the coefficients.
        sigma, sigma_wave: the conductivity that warms, and the one that the wave meets.

    Raises:
        ValueError: if wave and heat do not agree in 50 iterations, or the temperature runs away.
    """

    parts = ("outside", "inside")

    def __init__(self, pde: ElectroThermal, case: ElectroThermalCase, refinement: float = 1.0):
        ng = require_ngsolve()
        self.pde, self.case = pde, case
        ellipse = Ellipse((pde.ellipse_a, pde.ellipse_b), angle=pde.ellipse_angle)
        size = case.size / refinement
        self.mesh = square_mesh(LENGTH, ellipse, size, case.order, size / 4, ring=case.layer)
        half = (LENGTH / 2, LENGTH / 2)
        # exp(+j omega t): waves that leave are exp(-j k r), and decay where lengths are 1 - j stretching times longer
        layer = ng.pml.Cartesian((-half[0], -half[1]), half, alpha=-1j * case.stretching)
        self.mesh.SetPML(layer, "ring")
        self._wave = ng.H1(self.mesh, order=case.order, complex=True)
        self._heat = ng.H1(self.mesh, order=case.order, definedon="|".join(self.parts))
        self.scattered, self.rise = ng.GridFunction(self._wave), ng.GridFunction(self._heat)
        phase = pde.wavenumber * (np.cos(case.direction) * ng.x + np.sin(case.direction) * ng.y)
        self.incident = case.amplitude * (ng.cos(phase) - 1j * ng.sin(phase))
        self.total = self.scattered + self.incident
        by_part = self.mesh.MaterialCF
        self.prefactor = by_part({"inside": pde.conductivity_prefactor}, default=0.0)
        self.conduction = by_part({"outside": pde.alumina_conduction, "inside": pde.silicon_conduction}, default=0.0)
        alumina = by_part({"outside": pde.alumina_conductivity}, default=0.0)
        silicon = pde.elementary * self.prefactor * ng.exp(pde.silicon_exponent(self.rise))
        self.sigma, self.sigma_wave = alumina + silicon, alumina + pde.coupling * silicon
        permittivity = {"outside": pde.alumina_permittivity, "inside": pde.silicon_permittivity}
        self.permittivity = by_part(permittivity, default=1.0)
        self._carried_away = self._conductor()
        self._iterate()

    def sample(self, grid: Grid) -> Solved:
        """The fields and the coefficients at the points of a grid on the plate."""
        field, _ = values_on_grid([self.total], self.mesh, grid, self.parts, LENGTH / 2)
        rest = [self.rise, self.prefactor, self.conduction]
        others, _ = values_on_grid(rest, self.mesh, grid, self.parts, LENGTH / 2)
        return Solved(np.concatenate((real_and_imaginary(field), others[:1]))[None], others[1:])

    def _iterate(self) -> None:
        """Wave and heat in turn, until the temperature stays."""
        before = self.rise.vec.CreateVector()
        for _ in range(50):
            before.data = self.rise.vec
            self._solve_wave()
            self._solve_heat()
            before -= self.rise.vec
            if self.pde.coupling == 0 or before.Norm() <= self.case.tolerance * self.rise.vec.Norm():
                return
        raise ValueError(
            f"expected wave and heat to converge in 50 iterations, found no convergence for {self.pde}; "
            "weaken the coupling"
        )

    def _solve_wave(self) -> None:
        """The scattered field: what the plate adds to the incident wave, which solves the equation in vacuum."""
        ng, k0 = require_ngsolve(), self.pde.wavenumber
        trial, test = self._wave.TnT()
        contrast = k0**2 * (self.permittivity - 1j * self.sigma_wave / (self.pde.omega * VACUUM_PERMITTIVITY) - 1)
        form = ng.BilinearForm(self._wave, symmetric=True)
        form += (ng.grad(trial) * ng.grad(test) - (k0**2 + contrast) * trial * test) * ng.dx
        form += 1j * k0 * trial * test * ng.ds("outer")
        load = ng.LinearForm(contrast * self.incident * test * self._dx(3)).Assemble()
        form.Assemble()
        self.scattered.vec.data = form.mat.Inverse(self._wave.FreeDofs(), inverse="sparsecholesky") * load.vec

    def _solve_heat(self) -> None:
        """The temperature in the present wave: silicon heats more the warmer it is, but less than it loses."""
        ng = require_ngsolve()
        test, before = self._heat.TestFunction(), self.rise.vec.CreateVector()
        intensity = 0.5 * ng.Norm(self.total) ** 2
        for _ in range(50):
            before.data = self.rise.vec
            load = ng.LinearForm(self.sigma * intensity * test * self._dx(0)).Assemble()
            self.rise.vec.data = self._carried_away * load.vec
            if not self.rise(self.mesh(0.0, 0.0)) < MELTING - self.pde.ambient:
                break
            before -= self.rise.vec
            if before.Norm() <= 1e-3 * self.case.tolerance * self.rise.vec.Norm():
                return
        raise ValueError(
            f"expected a steady temperature, found more heating than cooling for {self.pde}; lower the amplitude"
        )

    def _conductor(self) -> Any:
        """The inverse of what carries heat away: load -> temperature."""
        ng = require_ngsolve()
        trial, test = self._heat.TnT()
        form = ng.BilinearForm(self._heat, symmetric=True)
        form += self.conduction * ng.grad(trial) * ng.grad(test) * self._dx(0)
        form += self.case.cooling * trial * test * ng.ds("left|right|top|bottom")
        return form.Assemble().mat.Inverse(self._heat.FreeDofs(), inverse="sparsecholesky")

    def _dx(self, more: int) -> Any:
        """Integration over the plate, exact for so many more degrees."""
        return require_ngsolve().dx("|".join(self.parts), bonus_intorder=more)

    def power(self, conductivity: Any) -> float:
        """Power that a conductivity takes from the wave [W per metre of thickness]."""
        ng = require_ngsolve()
        return ng.Integrate(0.5 * conductivity * ng.Norm(self.total) ** 2 * self._dx(4), self.mesh)

    def cooled(self) -> float:
        """The heat that leaves through the sides [W per metre of thickness]."""
        ng = require_ngsolve()
        return ng.Integrate(self.case.cooling * self.rise * ng.ds("left|right|top|bottom"), self.mesh)
