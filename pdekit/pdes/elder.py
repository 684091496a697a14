"""eps c_t + u.grad c = eps D laplacian(c) + S with u = -(k/mu) (grad p + rho(c) g e_y), div u = 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pdekit.calculus import Calculus
from pdekit.fields import Field
from pdekit.pdes.base import PDE


@dataclass(frozen=True)
class Elder(PDE):
    """Salt water that sinks in a porous bed: Darcy flow driven by the density of what it carries.

    With Darcy velocity (u, v), salt mass fraction c relative to brine, density rho = rho_0 + coupling * contrast * c:

        div(u, v) = 0                                                                volume
        v_x - u_y + (k g / mu) coupling * contrast * c_x = 0                         Darcy's law
        porosity c_t + u c_x + v c_y - porosity D laplacian(c) - S = 0               salt

    Darcy's law stands as its curl, which is the same on a box: so no pressure is stored. S is the coefficient `source`,
    a Gaussian about (source_x, source_y).

    Behaviour: brine diffuses from the right half of the top, the layer turns unstable after about a year, fingers
    sink, merge and are fed by the source. The Rayleigh number k g contrast H / (mu porosity D) is about 400 for
    H = 150 m.

    Limits: Oberbeck-Boussinesq, that is, the density matters in the weight only. Multiphysics Bench writes mass balance
    for the full density, d_t(porosity rho) + div(rho u) = 0, where salt takes no volume, so that a closed box draws
    water through the corner that fixes its pressure; here a closed box keeps its water. At this Rayleigh number the
    steady state is not unique and fingers depend on the grid (van Reeuwijk et al. 2009).

    Source: Elder (1967); parameters of Voss and Souza (1987) and of Multiphysics Bench (arXiv:2505.17575), whose
    1 mD is 9.869e-16 m^2.

    Args:
        permeability, viscosity: k [m^2], mu [Pa s].
        porosity, diffusivity: eps, D [m^2/s].
        contrast: density of brine less that of water [kg/m^3].
        gravity: g [m/s^2].
        coupling: factor on the contrast; at 0 salt does not move the water.
        source_peak, source_x, source_y, source_width: source S: peak [1/year of 365 days], centre and standard
            deviation [m]; named in the caption; the field itself is the coefficient.
    """

    configurable = True

    permeability: Any = 500 * 9.869233e-16
    viscosity: Any = 1e-3
    porosity: Any = 0.1
    diffusivity: Any = 3.56e-6
    contrast: Any = 200.0
    gravity: Any = 9.80665
    coupling: Any = 1.0
    source_peak: Any = 4e-3
    source_x: Any = 0.0
    source_y: Any = 0.0
    source_width: Any = 40.0

    dims: ClassVar = (2,)
    fields: ClassVar = (
        Field("velocity_x", "m/s", vector="velocity"),
        Field("velocity_y", "m/s", vector="velocity"),
        Field("concentration", "1"),
    )
    coeffs: ClassVar = (Field("source", "1/s"),)
    equations: ClassVar = ("volume (1/s)", "Darcy's law (1/s)", "salt (1/s)")

    @property
    def buoyancy(self) -> Any:
        """k g coupling * contrast / mu: the speed [m/s] at which brine sinks in water."""
        return self.permeability * self.gravity * self.coupling * self.contrast / self.viscosity

    def residual(self, w: Any, d: Calculus) -> Any:
        u, v, c = d.components(w)
        c_t = d.components(d.t(w))[2]
        volume = d.x(u) + d.y(v)
        darcy = d.x(v) - d.y(u) + self.buoyancy * d.x(c)
        diffusion = self.porosity * self.diffusivity * d.laplacian(c)
        salt = self.porosity * c_t + u * d.x(c) + v * d.y(c) - diffusion - d.coeff("source")
        return d.stack(volume, darcy, salt)

    def describe(self, params: dict[str, float]) -> str:
        x, y, width = (self.value(f"source_{name}", params) for name in ("x", "y", "width"))
        return (
            f"Brine sinks in a porous bed below a salt lake, fed by a source of {self.value('source_peak', params)} "
            f"per year at ({x}, {y}) m, {width} m wide."
        )
