"""Natural convection about the disc, assembled a second time with scikit-fem on the same straight triangles."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from pdekit.cases.finite_elements import Ellipse, square_mesh
from pdekit.cases.thermo_fluid import LENGTH, Convection
from pdekit.pdes.thermo_fluid import ThermoFluid

ng = pytest.importorskip("ngsolve")
fem = pytest.importorskip("skfem")

PDE = ThermoFluid(heat=80.0, disc_x=-0.008, disc_y=-0.004, disc_radius=0.014)


class SecondAssembly:
    """Quadratic velocity and rise temperature, linear pressure; Newton's method with a direct solver."""

    def __init__(self, mesh):
        triangles = mesh.ngmesh.Elements2D().NumPy()
        corners = triangles["nodes"][:, :3].astype(np.int64) - 1
        self.mesh = fem.MeshTri(mesh.ngmesh.Coordinates().T.copy(), corners.T.copy())
        names = np.array(mesh.GetMaterials())[triangles["index"] - 1]
        air, quadratic = np.flatnonzero(names == "outside"), fem.ElementTriP2()
        everything = {"intorder": 5}
        self.u = fem.Basis(self.mesh, fem.ElementVector(quadratic), elements=air, **everything)
        self.p = fem.Basis(self.mesh, fem.ElementTriP1(), elements=air, **everything)
        self.t = fem.Basis(self.mesh, quadratic, elements=air, **everything)
        self.all = fem.Basis(self.mesh, quadratic, **everything)
        self.solid = fem.Basis(self.mesh, quadratic, elements=np.flatnonzero(names == "inside"), **everything)
        self.sizes = [self.u.N, self.p.N, self.all.N]
        # velocity: all that is not inside of the air; pressure: the solid's and one of the air's; rise: cold sides
        half = LENGTH / 2 - 1e-9
        walls = self.u.get_dofs(lambda x: np.abs(x).max(axis=0) > half).all()
        edge = self.mesh.f2t[:, :]
        between = np.flatnonzero((edge[1] >= 0) & (np.isin(edge[0], air) ^ np.isin(edge[1], air)))
        rim = self.u.get_dofs(facets=between).all()
        unused_u = np.setdiff1d(np.arange(self.u.N), np.unique(self.u.element_dofs))
        unused_p = np.setdiff1d(np.arange(self.p.N), np.unique(self.p.element_dofs))
        cold = self.all.get_dofs(lambda x: np.abs(x[0]) > half).all()
        fixed = np.concatenate(
            (
                walls,
                rim,
                unused_u,
                self.u.N + unused_p,
                [self.u.N + self.p.element_dofs[0, 0]],
                sum(self.sizes[:2]) + cold,
            )
        )
        self.free = np.setdiff1d(np.arange(sum(self.sizes)), fixed)

    def blocks(self, w, strength, pde):
        """The residual and its derivative."""
        u, p, t = np.split(w, np.cumsum(self.sizes)[:2])
        at = {"u": self.u.interpolate(u), "p": self.p.interpolate(p), "t": self.t.interpolate(t)}
        rho, mu, rho_c = pde.density, pde.viscosity, pde.density * pde.heat_capacity
        weight = strength * pde.density * pde.gravity / pde.reference

        def dot(a, b):
            return a[0] * b[0] + a[1] * b[1]

        def carried(grad, by):  # (by . grad) of a vector
            return [grad[i, 0] * by[0] + grad[i, 1] * by[1] for i in range(2)]

        def contracted(a, b):
            return sum(a[i, j] * b[i, j] for i in range(2) for j in range(2))

        def div(v):
            return v.grad[0, 0] + v.grad[1, 1]

        momentum = fem.BilinearForm(
            lambda du, v, w: (
                mu * contracted(du.grad, v.grad)
                + rho * dot(carried(du.grad, w.u), v)
                + rho * dot(carried(w.u.grad, du), v)
            )
        ).assemble(self.u, self.u, u=at["u"])
        volume = fem.BilinearForm(lambda du, q, w: -q * div(du)).assemble(self.u, self.p)
        lift = fem.BilinearForm(lambda dt, v, w: -weight * dt * v[1]).assemble(self.t, self.u)
        swept = fem.BilinearForm(lambda du, s, w: rho_c * dot(du, w.t.grad) * s).assemble(self.u, self.t, t=at["t"])
        sweeps = fem.BilinearForm(lambda dt, s, w: rho_c * dot(w.u, dt.grad) * s).assemble(self.t, self.t, u=at["u"])
        conducts = fem.BilinearForm(lambda dt, s, w: dot(dt.grad, s.grad))
        conduction = pde.k_air * conducts.assemble(self.t) + pde.k_solid * conducts.assemble(self.solid)
        source = fem.LinearForm(lambda s, w: pde.heat * np.exp(w.x[0] + w.x[1]) * s).assemble(self.solid)
        inertia = fem.LinearForm(lambda v, w: rho * dot(carried(w.u.grad, w.u), v)).assemble(self.u, u=at["u"])
        friction = mu * fem.BilinearForm(lambda du, v, w: contracted(du.grad, v.grad)).assemble(self.u) @ u
        residual = np.concatenate(
            (
                friction + inertia + volume.T @ p + lift @ t,
                volume @ u,
                sweeps @ t + conduction @ t - source,
            )
        )
        matrix = sp.block_array([[momentum, volume.T, lift], [volume, None, None], [swept, None, sweeps + conduction]])
        return residual, matrix.tocsc()

    def solve(self, pde):
        w = np.zeros(sum(self.sizes))
        for strength in (0.0, 0.06, 0.25, 0.8, 1.0):
            for _ in range(12):
                residual, matrix = self.blocks(w, strength * pde.coupling, pde)
                update = splu(matrix[self.free][:, self.free]).solve(residual[self.free])
                w[self.free] -= update
                if np.abs(update).max() < 1e-11:
                    break
        return np.split(w, np.cumsum(self.sizes)[:2])


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_two_discretisations_agree(strength):
    """The same elements and quadrature but for rounding and for that of the source: 1e-10 of the largest value."""
    pde = dataclasses.replace(PDE, coupling=strength)
    disc = Ellipse((pde.disc_radius,) * 2, (pde.disc_x, pde.disc_y))
    mesh = square_mesh(LENGTH, disc, 0.14 * LENGTH, 1, 0.08 * LENGTH)
    source = mesh.MaterialCF({"inside": pde.heat * ng.exp(ng.x + ng.y)}, default=0.0)
    ours = Convection(mesh, pde, source, {"left": 0.0, "right": 0.0}, 2)
    second = SecondAssembly(mesh)
    u, _, t = second.solve(pde)
    corners = second.mesh.p
    velocity = np.stack([u[second.u.nodal_dofs[i]] for i in range(2)])
    points = mesh(*corners)
    outside = mesh.MaterialCF({"outside": 1.0}, default=0.0)(points)[:, 0] > 0.5
    found = np.asarray(ours.velocity(points)).T[:, outside]
    rise = np.asarray(ours.rise(points))[:, 0]
    assert np.abs(found).max() > 0.003 * strength
    assert np.abs(found - velocity[:, outside]).max() < 1e-10 * np.abs(found).max()
    assert np.abs(rise - t[second.all.nodal_dofs[0]]).max() < 1e-10 * rise.max()
