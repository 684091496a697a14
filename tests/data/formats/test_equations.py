"""Trajectories of the equation that a file is said to obey, made without pdekit, are forecast from their first frame by
pdekit's solver of that equation."""

from dataclasses import dataclass
from math import pi

import h5py
import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn
from scipy.fftpack import diff
from scipy.integrate import solve_ivp
from scipy.sparse import diags_array, kron
from scipy.sparse.linalg import spsolve

from pdekit.boundaries import Neumann
from pdekit.data.formats import recognised
from pdekit.fields import Field, Grid
from pdekit.pdes.base import SemilinearPDE
from pdekit.solvers import etdrk
from pdekit.solvers.elliptic import elliptic

from . import published_others, published_pdebench, published_sets


def solved(source, trajectory, substeps):
    """All frames of a trajectory, from its first one."""
    batch = source.read(trajectory)
    pde, grid, dt = source.problem.at(batch.params if batch.params is None else batch.params.double())
    step = etdrk(pde, grid, dt / substeps)
    state, frames = step.encode(batch.u[:, 0].double()), []
    for _ in range(source.problem.n_frames - 1):
        for _ in range(substeps):
            state = step.advance(state)
        frames.append(step.decode(state))
    return torch.stack(frames, 1), batch.u[:, 1:].double()


def test_burgers_of_pdebench(tmp_path):
    """Cole and Hopf: u = -2 nu phi_x / phi with phi = a + exp(-nu k^2 t) cos(k x), k = pi on the box from -1 to 1."""
    nu, frames, points = 0.3 / pi, 6, 64
    path = published_pdebench.tensor(tmp_path / "1D_Burgers.hdf5", n=3, frames=frames, points=points, Nu=0.3)
    with h5py.File(path, "r+") as file:
        file["t-coordinate"][...] = 0.1 * np.arange(frames + 1)
        x, t = file["x-coordinate"][()].astype(float), 0.1 * np.arange(frames)[:, None]
        for i, a in enumerate((1.2, 1.5, 2.0)):
            decay = np.exp(-nu * pi**2 * t)
            file["tensor"][i] = 2 * nu * pi * decay * np.sin(pi * x) / (a + decay * np.cos(pi * x))
    found, stored = solved(recognised(path).open(path)["all"], 0, 10)
    torch.testing.assert_close(found, stored, rtol=0, atol=2e-6)  # stored in float32


def test_reaction_diffusion_of_pdebench(tmp_path):
    """Derivatives of SciPy and solve_ivp, from sines in [0, 1] as published, at the largest published rho."""
    nu, rho, frames, points = 0.5, 10.0, 5, 32
    path = published_pdebench.tensor(tmp_path / "ReacDiff_Nu0.5_Rho10.0.hdf5", 2, frames, points, Nu=nu, rho=rho)
    with h5py.File(path, "r+") as file:
        file["x-coordinate"][...] = x = published_pdebench.centres(0, 1, points)
        times = 0.01 * np.arange(frames)
        for i in range(2):
            start = 0.5 + 0.3 * np.sin(2 * pi * x.astype(float) + i) + 0.2 * np.cos(6 * pi * x.astype(float))

            def rate(_, u):
                return nu * diff(u, 2, 1.0) + rho * u * (1 - u)

            file["tensor"][i] = solve_ivp(rate, (0, times[-1]), start, "Radau", times, rtol=1e-9, atol=1e-10).y.T
    found, stored = solved(recognised(path).open(path)["all"], 1, 10)
    torch.testing.assert_close(found, stored, rtol=0, atol=2e-6)  # stored in float32
    assert float((stored[:, -1] - stored[:, 0]).abs().max()) > 0.05


@dataclass(frozen=True)
class ActivatorInhibitor(SemilinearPDE):
    """u_t = Du laplacian(u) + u - u^3 - k - v, v_t = Dv laplacian(v) + u - v, PDEBench's diffusion-reaction."""

    dims = (2,)
    fields = (Field("activator"), Field("inhibitor"))
    degree = 3

    def linear(self, w, d):
        u, v = d.components(w)
        return d.stack(1e-3 * d.laplacian(u), 5e-3 * d.laplacian(v))

    def nonlinear(self, w, d):
        u, v = d.components(w)
        return d.stack(u - u * u * u - 5e-3 - v, u - v)

    def describe(self, params):
        return "An activator and an inhibitor that diffuse and react."


def test_diffusion_reaction_of_pdebench(tmp_path):
    """Cosines and solve_ivp on the box without flux; pdekit's steps on the periodic box of its mirror images."""
    shape, frames = (48, 40), 4
    path = published_pdebench.seeded(tmp_path / "2D_diff-react.h5", shape, n=2, frames=frames)
    waves = [(pi * np.arange(n) / 2) ** 2 for n in shape]
    squares = waves[0][:, None] + waves[1]

    def rate(_, flat):
        u, v = flat.reshape(2, *shape)
        lap_u, lap_v = (idctn(-squares * dctn(part)) for part in (u, v))
        return np.stack([1e-3 * lap_u + u - u**3 - 5e-3 - v, 5e-3 * lap_v + u - v]).ravel()

    with h5py.File(path, "r+") as file:
        x, y = np.meshgrid(*(2 * (np.arange(n) + 0.5) / n - 1 for n in shape), indexing="ij")
        for i, group in enumerate(file.values()):
            group["grid/t"][...] = times = np.linspace(0, 0.6, frames)
            start = 0.3 * np.stack([np.cos(pi * x) + 0.4 * i, np.sin(pi * y / 2) * np.sin(pi * x / 2)])
            made = solve_ivp(rate, (0, times[-1]), start.ravel(), "DOP853", times, rtol=1e-9, atol=1e-9)
            group["data"][...] = np.moveaxis(made.y.T.reshape(frames, 2, *shape), 1, -1)
    source = recognised(path).open(path)["all"]
    problem, batch = source.problem, source.read(1)
    assert {type(end) for ends in problem.boundary for end in ends} == {Neumann}
    box = Grid(tuple(2 * n for n in problem.grid.shape), tuple(2 * length for length in problem.grid.extent))
    step = etdrk(ActivatorInhibitor(), box, problem.dt / 20)
    mirrored = torch.cat((batch.u[:, 0], batch.u[:, 0].flip(2)), 2).double()
    state = step.encode(torch.cat((mirrored, mirrored.flip(3)), 3))
    for frame in range(1, frames):
        for _ in range(20):
            state = step.advance(state)
        found = step.decode(state)[..., : shape[0], : shape[1]]
        torch.testing.assert_close(found, batch.u[:, frame].double(), rtol=0, atol=1e-6)  # stored in float32


def test_kuramoto_sivashinsky_of_lpsda(tmp_path):
    """The published scheme: Radau on derivatives of SciPy, here on a shorter line; box, step and viscosity vary."""
    frames, points, base = 4, 48, published_others.kuramoto_sivashinsky(tmp_path / "KS.h5", n=2, frames=4, points=48)
    with h5py.File(base, "r+") as file:
        group = file["train"]
        for i in range(2):
            length, nu = points * group["dx"][i] / 2, group["v"][i]
            group["x"][i], group["dx"][i] = group["x"][i] / 2, group["dx"][i] / 2
            times = group["dt"][i] * np.arange(frames)

            def rate(_, u, length=length, nu=nu):
                ux, uxx, uxxxx = (diff(u, order, length) for order in (1, 2, 4))
                return -u * ux - uxx - nu * uxxxx

            start = np.cos(2 * pi * group["x"][i] / length) + 0.3 * np.sin(4 * pi * group["x"][i] / length + i)
            made = solve_ivp(rate, (0, times[-1]), start, "Radau", times, rtol=1e-9, atol=1e-9)
            group[f"pde_{frames}-{points}"][i] = made.y.T
    source = recognised(base).open(base)["train"]
    for i in range(2):
        found, stored = solved(source, i, 20)
        torch.testing.assert_close(found, stored, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name, gammas", [("1d_diff_adv", [0.0, -4.0]), ("2d_diff_diff", [0.0, 0.0, 4.0])])
def test_linear_scenarios_of_apebench(tmp_path, name, gammas):
    """Advection of difficulty -4 moves everything by 4 points; diffusion of difficulty g damps m waves on N points in D
    dimensions by exp(-g (2 pi m / N)^2 / (2 D))."""
    ndim, n = int(name[0]), 32
    shape = (n,) * ndim
    noise = np.fft.fftn(np.random.default_rng(0).normal(size=(6, 1, 1, *shape)), axes=range(3, 3 + ndim))
    m = np.fft.fftfreq(n, 1 / n)
    waves = np.sqrt(sum(np.square(np.meshgrid(*[m] * ndim, indexing="ij"))))
    u = [np.fft.ifftn(noise * (waves < 9), axes=range(3, 3 + ndim)).real]
    for _ in range(3):
        if ndim == 1:
            u.append(np.roll(u[-1], 4, -1))
        else:
            damped = np.fft.fftn(u[-1], axes=(3, 4)) * np.exp(-4 * (2 * pi * waves / n) ** 2 / 2 / ndim)
            u.append(np.fft.ifftn(damped, axes=(3, 4)).real)
    u = np.concatenate(u, 1).astype("f4")
    path = published_sets.apebench(tmp_path, name, u, u, gammas=gammas)
    found, stored = solved(recognised(path).open(path)["test"], 2, 1)
    torch.testing.assert_close(found, stored, rtol=0, atol=3e-6)


def test_darcy_of_the_fno_papers(tmp_path):
    """Five-point differences with harmonic means, solved by SciPy, are what pdekit's elliptic solver makes."""
    n, h = (17, 13), (1 / 16, 1 / 12)
    coeff = np.where(np.random.default_rng(0).random((3, *n)) < 0.5, 3.0, 12.0)
    sol = np.zeros((3, *n))
    for i, a in enumerate(coeff):
        x, y = (2 * p * q / (p + q) for p, q in ((a[1:, 1:-1], a[:-1, 1:-1]), (a[1:-1, 1:], a[1:-1, :-1])))
        size = (n[0] - 2, n[1] - 2)
        along_x = kron(diags_array([1.0, -1.0], offsets=[0, -1], shape=(size[0] + 1, size[0])), np.eye(size[1]))
        along_y = kron(np.eye(size[0]), diags_array([1.0, -1.0], offsets=[0, -1], shape=(size[1] + 1, size[1])))
        matrix = along_x.T @ diags_array(x.ravel() / h[0] ** 2) @ along_x
        matrix = matrix + along_y.T @ diags_array(y.ravel() / h[1] ** 2) @ along_y
        sol[i, 1:-1, 1:-1] = spsolve(matrix.tocsc(), np.ones(size[0] * size[1])).reshape(size)
    path = published_others.mat5(tmp_path / "piececonst_r421_N1024_smooth1.mat", coeff=coeff, sol=sol)
    source = recognised(path).open(path)["all"]
    batch, problem = source.read(2), source.problem
    found = elliptic(batch.coeffs[0, 0].numpy(), problem.pde.source, problem.grid.spacing)
    np.testing.assert_allclose(found, batch.u[0, 0, 0], atol=1e-9)
