"""One library in one process: prepares a problem, steps it, and says what that took. Started by solver_speed.py.

    python benchmarks/solver_peers.py LIBRARY PRECISION    reads one JSON command a line, answers with one

All libraries keep their state as a spectrum between steps and run the same problem on one thread:

    ks          u_t + u u_x + u_xx + u_xxxx = 0 on a line of length 64
    vorticity   Kolmogorov flow on (2 pi)^2: viscosity 1e-3, force sin(4 y), drag 0.1

exponax: ETDRK4, as pdekit. Its vortices turn the other way, so it gets -w, moved by half a wavelength of the force.
torch-cfd and jax-cfd: Carpenter-Kennedy Runge-Kutta with Crank-Nicolson, their most accurate scheme.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

LENGTH, VISCOSITY, FORCING, WAVENUMBER, DRAG = 64.0, 1e-3, 1.0, 4, 0.1
MODULES = {"pdekit": "pdekit", "exponax": "exponax", "torch-cfd": "torch_cfd", "jax-cfd": "jax_cfd"}
PROBLEMS = {
    "pdekit": ("ks", "vorticity"),
    "exponax": ("ks", "vorticity"),
    "torch-cfd": ("vorticity",),
    "jax-cfd": ("ks", "vorticity"),
}

# samples "batch *space" -> state; (state, number of steps) -> state; state -> samples
Solver = tuple[Callable, Callable, Callable]


def available() -> list[str]:
    return [library for library, module in MODULES.items() if find_spec(module)]


def one_thread() -> None:
    """Pin this process to its first core; the libraries of linear algebra and XLA get one thread."""
    if sys.platform.startswith("linux"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["JAX_PLATFORMS"] = "cpu"


def pdekit(problem: str, n: int, dt: float, precision: str) -> Solver:
    from pdekit.machine import prepare

    prepare()
    import torch

    from pdekit.fields import Grid
    from pdekit.pdes import KuramotoSivashinsky, NavierStokes2D
    from pdekit.solvers import etdrk

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    dtype = getattr(torch, precision)
    if problem == "ks":
        step = etdrk(KuramotoSivashinsky(), Grid((n,), (LENGTH,)), dt, dtype=dtype)
    else:
        pde = NavierStokes2D(VISCOSITY, FORCING, WAVENUMBER, DRAG)
        step = etdrk(pde, Grid((n, n), (2 * np.pi,) * 2), dt, dtype=dtype)

    def run(state, steps):
        for _ in range(steps):
            state = step.advance(state)
        return state

    def encode(u):
        return step.encode(torch.from_numpy(u).to(dtype).unsqueeze(1))

    return encode, run, lambda state: step.decode(state)[:, 0].double().numpy()


def torch_cfd(problem: str, n: int, dt: float, precision: str) -> Solver:
    import torch

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    torch.set_default_dtype(getattr(torch, precision))
    from torch_cfd import forcings, grids, spectral

    grid = grids.Grid((n, n), domain=((0, 2 * np.pi), (0, 2 * np.pi)))
    offsets = ((0, 0), (0, 0))
    force = forcings.KolmogorovForcing(
        grid=grid, scale=FORCING, wave_number=WAVENUMBER, diam=2 * np.pi, offsets=offsets, vorticity=True
    )
    equation = spectral.NavierStokes2DSpectral(
        VISCOSITY, grid, drag=DRAG, forcing_fn=force, step_fn=spectral.RK4CrankNicolsonStepper()
    )
    dtype = getattr(torch, precision)
    return (
        lambda u: torch.fft.rfft2(torch.from_numpy(u).to(dtype)) * equation.filter,
        lambda state, steps: equation(state, dt, steps)[0],
        lambda state: torch.fft.irfft2(state).double().numpy(),
    )


def exponax(problem: str, n: int, dt: float, precision: str) -> Solver:
    jax = _jax(precision)
    import exponax as ex

    if problem == "ks":
        stepper = ex.stepper.KuramotoSivashinskyConservative(1, LENGTH, n, dt, order=4)
        return _jax_solver(jax, stepper.step_fourier, dims=1, channel=True)
    stepper = ex.stepper.KolmogorovFlowVorticity(
        2,
        2 * np.pi,
        n,
        dt,
        diffusivity=VISCOSITY,
        drag=-DRAG,
        injection_mode=WAVENUMBER,
        injection_scale=FORCING,
        order=4,
    )
    encode, run, decode = _jax_solver(jax, stepper.step_fourier, dims=2, channel=True)
    shift = n // (2 * WAVENUMBER)
    return lambda u: encode(-np.roll(u, shift, -1)), run, lambda state: -np.roll(decode(state), -shift, -1)


def jax_cfd(problem: str, n: int, dt: float, precision: str) -> Solver:
    jax = _jax(precision)
    from jax_cfd.base import grids
    from jax_cfd.spectral import equations, time_stepping

    if problem == "ks":
        equation = equations.KuramotoSivashinsky(grids.Grid((n,), domain=((0, LENGTH),)))
    else:
        equation = equations.ForcedNavierStokes2D(
            VISCOSITY, grids.Grid((n, n), domain=((0, 2 * np.pi), (0, 2 * np.pi))), smooth=True
        )
    step = time_stepping.crank_nicolson_rk4(equation, dt)
    return _jax_solver(jax, step, dims=1 if problem == "ks" else 2, channel=False)


def _jax(precision: str):
    import jax

    jax.config.update("jax_enable_x64", precision == "float64")
    return jax


def _jax_solver(jax, step: Callable, dims: int, channel: bool) -> Solver:
    """All steps in one compiled loop, batched by vmap."""
    axes = tuple(range(-dims, 0))

    @jax.jit
    def run(state, steps):
        return jax.lax.fori_loop(0, steps, lambda _, s: jax.vmap(step)(s), state)

    def encode(u):
        u = jax.numpy.asarray(u)  # in the precision that jax is set to
        shape = u.shape[1:]
        return jax.numpy.fft.rfftn(u[:, None] if channel else u, s=shape, axes=axes)

    def decode(state):
        n = state.shape[-dims] if dims == 2 else 2 * (state.shape[-1] - 1)
        u = np.asarray(jax.numpy.fft.irfftn(state, s=(n,) * dims, axes=axes), dtype=np.float64)
        return u[:, 0] if channel else u

    return encode, lambda state, steps: run(state, steps).block_until_ready(), decode


BUILD = {"pdekit": pdekit, "exponax": exponax, "torch-cfd": torch_cfd, "jax-cfd": jax_cfd}


def serve(library: str, precision: str) -> None:
    """Commands: prepare (problem, n, dt, start: a .npy file, warmup: steps), time (seconds), solve (steps, end)."""
    run = state = decode = None
    for line in sys.stdin:
        command = json.loads(line)
        answer = {}
        if command["do"] == "prepare":
            encode, run, decode = BUILD[library](command["problem"], command["n"], command["dt"], precision)
            state = encode(np.load(command["start"]))
            run(state, command.get("warmup", 2))
        elif command["do"] == "time":
            state, steps, start = run(state, 1), 0, time.process_time()
            chunk = 1
            while (elapsed := time.process_time() - start) < command["seconds"]:
                state = run(state, chunk)
                steps += chunk
                chunk = min(2 * chunk, 64)
            answer = {"seconds": elapsed / steps}
        else:
            np.save(command["end"], decode(run(state, command["steps"])))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    one_thread()
    serve(*sys.argv[1:])
