"""w_t + u.grad w = nu laplacian(w) - drag w + g, with u = (psi_y, -psi_x) and laplacian(psi) = -w: its common part."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from pdekit.calculus import Calculus, Fourier
from pdekit.fields import Field, Grid
from pdekit.pdes.base import Budget, SemilinearPDE, integral, vanishes


class PlaneVorticity(SemilinearPDE):
    """Base of plane incompressible flows in vorticity form, periodic; the equations differ in their force.

    The vorticity w = dv/dx - du/dy obeys

        w_t = -(dxx - dyy)(u v) - dxy(v^2 - u^2) + nu laplacian(w) - drag w + g,

    which is advection in the form that needs two inverse and two forward transforms (Basdevant 1983). g is the curl
    of the body force, `source`. Signs: positive vorticity turns counter-clockwise.
    """

    viscosity: Any
    drag: Any

    dims: ClassVar = (2,)
    smoothing: ClassVar = ("viscosity",)
    non_negative: ClassVar = ("viscosity", "drag")
    fields: ClassVar = (Field("vorticity", "1/s"),)
    auxiliary: ClassVar = ("streamfunction",)
    degree: ClassVar = 2

    @property
    @abstractmethod
    def unforced(self) -> bool:
        """True if no force acts."""

    def velocity(self, w: Any, d: Calculus) -> tuple[Any, Any]:
        psi = d.poisson("streamfunction", -w)
        return d.y(psi), -d.x(psi)

    def linear(self, w: Any, d: Calculus) -> Any:
        return self.viscosity * d.laplacian(w) - self.drag * w

    def nonlinear(self, w: Any, d: Calculus) -> Any:
        u, v = self.velocity(w, d)
        uv = u * v
        return d.yy(uv) - d.xx(uv) - d.xy(v * v - u * u)

    @property
    def ideal(self) -> bool:
        """Neither forced nor damped."""
        return self.unforced and vanishes(self.viscosity) and vanishes(self.drag)

    def invariants(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        """Circulation (zero on a periodic box); energy and enstrophy of an ideal flow."""
        quadratic = self.quadratic(u, grid) if self.ideal else {}
        return {"circulation": integral(u[:, 0], grid), **quadratic}

    def dissipated(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        return self.quadratic(u, grid) if self.unforced else {}

    def quadratic(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        """Energy, the integral of |velocity|^2 / 2, and enstrophy, the integral of w^2 / 2."""
        d = Fourier(grid, u.dtype, u.device)
        energy = sum(component.samples**2 for component in self.velocity(d.field(u), d)) / 2
        return {"energy": integral(energy[:, 0], grid), "enstrophy": integral(u[:, 0] ** 2 / 2, grid)}

    def budgets(self, u: Tensor, grid: Grid) -> dict[str, Budget]:
        """Energy |velocity|^2 / 2 and enstrophy w^2 / 2: the work of the force, viscous dissipation and drag.

        By parts, with the streamfunction psi: the integral of |velocity|^2 is that of psi w, the work of a force that
        of psi times its curl.
        """
        d = Fourier(grid, u.dtype, u.device)
        w = d.field(u)
        psi, diffusion = d.poisson("streamfunction", -w).samples, d.laplacian(w).samples
        found = {}
        for name, factor in {"energy": psi, "enstrophy": u}.items():
            square = factor * u
            rates = {"dissipation": self.viscosity * factor * diffusion, "drag": -self.drag * square}
            if not self.unforced:
                rates["input"] = factor * self.source(d)
            summed = {term: integral(rate[:, 0], grid) for term, rate in rates.items()}
            found[name] = Budget(integral(square[:, 0] / 2, grid), summed)
        return found
