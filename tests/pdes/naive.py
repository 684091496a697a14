"""The right-hand sides once more, straight from the textbook: NumPy, full complex transforms, no laziness."""

from __future__ import annotations

import numpy as np

from pdekit import pdes
from pdekit.fields import Grid


class Derivatives:
    """D(u, "xxy") on a periodic box; odd derivatives of the Nyquist mode are zero."""

    def __init__(self, grid: Grid):
        self.grid = grid
        self.coordinates = [x.numpy() for x in grid.mesh()]

    def __call__(self, u, letters):
        u_hat = np.fft.fftn(u)
        for axis, letter in enumerate("xyz"[: u.ndim]):
            n, order = u.shape[axis], letters.count(letter)
            m = np.fft.fftfreq(n, 1 / n)
            ik = (2j * np.pi / self.grid.extent[axis] * m) ** order
            if order % 2 and n % 2 == 0:
                ik[n // 2] = 0
            u_hat = u_hat * ik.reshape([-1 if a == axis else 1 for a in range(u.ndim)])
        return np.fft.ifftn(u_hat).real

    def laplacian(self, u):
        return sum(self(u, 2 * letter) for letter in "xyz"[: u.ndim])

    def inverse_laplacian(self, u):
        k = [2 * np.pi * np.fft.fftfreq(n, 1 / n) / L for n, L in zip(u.shape, self.grid.extent, strict=True)]
        k_squared = sum(a**2 for a in np.meshgrid(*k, indexing="ij"))
        k_squared.flat[0] = np.inf
        return np.fft.ifftn(-np.fft.fftn(u) / k_squared).real


def advection(p, w, D):
    c = (p.velocity_x, p.velocity_y, p.velocity_z)
    return [-sum(c[axis] * D(w[0], "xyz"[axis]) for axis in range(w[0].ndim))]


def diffusion(p, w, D):
    return [p.diffusivity * D.laplacian(w[0])]


def wave(p, w, D):
    return [w[1], p.speed**2 * D.laplacian(w[0])]


def burgers(p, w, D):
    return [-w[0] * D(w[0], "x") + p.viscosity * D(w[0], "xx")]


def korteweg_de_vries(p, w, D):
    return [-p.nonlinearity * w[0] * D(w[0], "x") - p.dispersion * D(w[0], "xxx")]


def kuramoto_sivashinsky(p, w, D):
    return [-w[0] * D(w[0], "x") - D(w[0], "xx") - p.viscosity * D(w[0], "xxxx")]


def allen_cahn(p, w, D):
    return [p.diffusivity * D.laplacian(w[0]) + p.reaction * (w[0] - w[0] ** 3)]


def cahn_hilliard(p, w, D):
    return [p.diffusivity * D.laplacian(w[0] ** 3 - w[0] - p.gamma * D.laplacian(w[0]))]


def swift_hohenberg(p, w, D):
    u = w[0]
    once = u + D.laplacian(u)
    return [p.reactivity * u - (once + D.laplacian(once)) + p.quadratic * u**2 - u**3]


def reaction_diffusion(p, w, D):
    return [p.diffusivity * D.laplacian(w[0]) + p.rate * w[0] * (1 - w[0])]


def gray_scott(p, w, D):
    u, v = w
    return [
        p.diffusivity_u * D.laplacian(u) - u * v**2 + p.feed * (1 - u),
        p.diffusivity_v * D.laplacian(v) + u * v**2 - (p.feed + p.kill) * v,
    ]


def nonlinear_schroedinger(p, w, D):
    psi = w[0] + 1j * w[1]
    psi_xx = D(w[0], "xx") + 1j * D(w[1], "xx")
    psi_t = 1j * (p.dispersion * psi_xx + p.nonlinearity * abs(psi) ** 2 * psi)
    return [psi_t.real, psi_t.imag]


def sine_gordon(p, w, D):
    return [w[1], p.speed**2 * D.laplacian(w[0]) - np.sin(w[0])]


def plane_flow(p, w, D):
    """Advective form without a force, with a streamfunction of laplacian(psi) = -w."""
    w = w[0]
    psi = D.inverse_laplacian(-w)
    u, v = D(psi, "y"), -D(psi, "x")
    return -u * D(w, "x") - v * D(w, "y") + p.viscosity * D.laplacian(w) - p.drag * w


def navier_stokes_2d(p, w, D):
    """The force is (A sin(k y), 0)."""
    force = p.forcing * np.sin(p.wavenumber * D.coordinates[1])
    return [plane_flow(p, w, D) - D(force, "y")]


def stirred_flow_2d(p, w, D):
    angle = p.wavenumber * (D.coordinates[0] + D.coordinates[1])
    return [plane_flow(p, w, D) + p.forcing * (np.sin(angle) + np.cos(angle))]


def navier_stokes_3d(p, w, D):
    """Advective form; the pressure removes the divergence."""
    advected = [-sum(u * D(c, a) for u, a in zip(w, "xyz", strict=True)) for c in w]
    pressure = D.inverse_laplacian(sum(D(c, a) for c, a in zip(advected, "xyz", strict=True)))
    forces = [p.viscosity * D.laplacian(c) - D(pressure, a) for c, a in zip(w, "xyz", strict=True)]
    return [a + f for a, f in zip(advected, forces, strict=True)]


def lorenz_96(p, w, D):
    n = len(w)
    return [(w[(i + 1) % n] - w[i - 2]) * w[i - 1] - w[i] + p.forcing for i in range(n)]


def chaotic_system(p, w, D):
    x, y, z = w
    return [10 * y - 10 * x, 28 * x - x * z - y, x * y - 8 * z / 3]


def compressible_euler(p, w, D):
    """In density, velocity and pressure: rho_t + div(rho u) = 0, u_t + u.grad u + grad p / rho = 0,
    p_t + u.grad p + gamma p div u = 0."""
    rho, u, v = w[0], w[1] / w[0], w[2] / w[0]
    pressure = (p.gamma - 1) * (w[3] - rho * (u**2 + v**2) / 2)
    rho_t = -D(rho * u, "x") - D(rho * v, "y")
    u_t = -u * D(u, "x") - v * D(u, "y") - D(pressure, "x") / rho
    v_t = -u * D(v, "x") - v * D(v, "y") - D(pressure, "y") / rho
    p_t = -u * D(pressure, "x") - v * D(pressure, "y") - p.gamma * pressure * (D(u, "x") + D(v, "y"))
    energy_t = p_t / (p.gamma - 1) + rho_t * (u**2 + v**2) / 2 + rho * (u * u_t + v * v_t)
    return [rho_t, rho_t * u + rho * u_t, rho_t * v + rho * v_t, energy_t]


def shallow_water(p, w, D):
    """In velocities, which is the same for smooth flow: h (u_t + u.grad u + g grad h) = 0."""
    h, u, v = w[0], w[1] / w[0], w[2] / w[0]
    h_t = -D(h * u, "x") - D(h * v, "y")
    u_t = -u * D(u, "x") - v * D(u, "y") - p.gravity * D(h, "x")
    v_t = -u * D(v, "x") - v * D(v, "y") - p.gravity * D(h, "y")
    return [h_t, h_t * u + h * u_t, h_t * v + h * v_t]


RIGHT_HAND_SIDES = {
    pdes.Advection: advection,
    pdes.AllenCahn: allen_cahn,
    pdes.Burgers: burgers,
    pdes.CahnHilliard: cahn_hilliard,
    pdes.Diffusion: diffusion,
    pdes.GrayScott: gray_scott,
    pdes.KortewegDeVries: korteweg_de_vries,
    pdes.KuramotoSivashinsky: kuramoto_sivashinsky,
    pdes.Lorenz96: lorenz_96,
    pdes.NavierStokes2D: navier_stokes_2d,
    pdes.NavierStokes3D: navier_stokes_3d,
    pdes.NonlinearSchroedinger: nonlinear_schroedinger,
    pdes.ChaoticSystem: chaotic_system,
    pdes.CompressibleEuler: compressible_euler,
    pdes.ReactionDiffusion: reaction_diffusion,
    pdes.ShallowWater: shallow_water,
    pdes.SineGordon: sine_gordon,
    pdes.StirredFlow2D: stirred_flow_2d,
    pdes.SwiftHohenberg: swift_hohenberg,
    pdes.WaveEquation: wave,
}
