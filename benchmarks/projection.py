"""Cost of a stage of the projection step, the share of its Poisson solve, and the same stage in NumPy with SciPy's DCT.

A stage is the rate of change of a flow in a closed cavity, projected: a step has three. Processor time per trajectory
in float64, in turns. The NumPy version below is written for one closed box and one trajectory.

    OMP_NUM_THREADS=1 python benchmarks/projection.py [--quick]
"""

from __future__ import annotations

import argparse

from pdekit.machine import describe_machine, prepare

prepare()

import numpy as np  # noqa: E402
import scipy.fft  # noqa: E402
import torch  # noqa: E402
from interleaved import microseconds, ratio, spread, table, take_turns  # noqa: E402
from numpy import ndarray  # noqa: E402

from pdekit.fields import Grid  # noqa: E402
from pdekit.pdes import ViscousFlow  # noqa: E402
from pdekit.solvers.projection import Flow  # noqa: E402
from pdekit.solvers.traced import traced  # noqa: E402

LID = (("wall no_slip", "wall no_slip"), ("wall no_slip", "wall no_slip 1"))
VISCOSITY = 1e-3
SIZES = [(32, 1), (32, 16), (64, 1), (64, 16), (128, 1), (128, 4), (256, 1)]


def cavity(n: int) -> Flow:
    grid = Grid((n, n), (1.0, 1.0), layout=("cells", "cells"))
    return Flow.of(ViscousFlow(VISCOSITY), grid, LID, "uniform", (torch.float64, None))


def numpy_rate(u: ndarray, v: ndarray, eigenvalues: ndarray) -> tuple[ndarray, ndarray]:
    """The same stage for one trajectory: u "n+1 n" and v "n n+1" on faces, the lid at the upper end of y."""
    n = v.shape[0]
    h = 1 / n
    wide = np.concatenate((-u[:, :1], u, 2 - u[:, -1:]), 1)
    tall = np.concatenate((-v[:1], v, -v[-1:]), 0)
    u_edge, v_edge = (wide[:, 1:] + wide[:, :-1]) / 2, (tall[1:] + tall[:-1]) / 2
    u_mid, v_mid = (u[1:] + u[:-1]) / 2, (v[:, 1:] + v[:, :-1]) / 2
    u_x = u_mid**2 - VISCOSITY * np.diff(u, axis=0) / h
    u_y = u_edge * v_edge - VISCOSITY * np.diff(wide, axis=1) / h
    v_x = u_edge * v_edge - VISCOSITY * np.diff(tall, axis=0) / h
    v_y = v_mid**2 - VISCOSITY * np.diff(v, axis=1) / h
    u_t, v_t = np.zeros_like(u), np.zeros_like(v)
    u_t[1:-1] = -(np.diff(u_x, axis=0) + np.diff(u_y[1:-1], axis=1)) / h
    v_t[:, 1:-1] = -(np.diff(v_y, axis=1) + np.diff(v_x[:, 1:-1], axis=0)) / h
    divergence = (np.diff(u_t, axis=0) + np.diff(v_t, axis=1)) / h
    p = scipy.fft.idctn(scipy.fft.dctn(divergence) * eigenvalues)
    u_t[1:-1] -= np.diff(p, axis=0) / h
    v_t[:, 1:-1] -= np.diff(p, axis=1) / h
    return u_t, v_t


def inverse_eigenvalues(n: int) -> ndarray:
    values = -((2 * n * np.sin(np.pi * np.arange(n) / (2 * n))) ** 2)
    total = values[:, None] + values
    total[0, 0] = np.inf
    return 1 / total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two sizes, few rounds")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    rows = []
    for n, batch in SIZES[:2] if quick else SIZES:
        flow, eigenvalues = cavity(n), inverse_eigenvalues(n)
        generator = torch.Generator().manual_seed(0)
        state = flow.encode(torch.randn(batch, 2, n, n, generator=generator, dtype=torch.float64))
        u, v = (part[0].numpy() for part in flow.mesh.parts(state, 0))
        recorded, source = traced(lambda q, flow=flow: flow.rate(q)), torch.randn(batch, n, n, dtype=torch.float64)
        for _ in range(101):
            recorded(state)
        found = flow.mesh.parts(recorded(state), 0)
        for part, other in zip(found, numpy_rate(u, v, eigenvalues), strict=True):
            error = np.abs(part[0].numpy() - other).max() / np.abs(other).max()
            assert error < 1e-10, f"both versions are one scheme, but differ by {error:.1e}"
        turns = {
            "stage": lambda state=state, recorded=recorded: recorded(state),
            "poisson": lambda source=source, flow=flow: flow.pressure(source),
            "numpy": lambda u=u, v=v, eigenvalues=eigenvalues: numpy_rate(u, v, eigenvalues),
        }
        times = take_turns(turns, 3 if quick else 11)
        per_one = {name: [value / (1 if name == "numpy" else batch) for value in times[name]] for name in times}
        rows.append(
            [f"{n}^2", str(batch)]
            + [f"{microseconds(per_one, name):.0f}" for name in turns]
            + [f"{ratio(per_one, 'poisson', 'stage'):.2f} +- {spread(per_one, 'poisson', 'stage'):.2f}"]
            + [f"{ratio(per_one, 'stage', 'numpy'):.2f} +- {spread(per_one, 'stage', 'numpy'):.2f}"]
        )
    print(describe_machine())
    print(
        table(
            ["cells", "batch", "stage us", "Poisson us", "NumPy stage us", "share of Poisson", "stage / NumPy stage"],
            rows,
        )
    )


if __name__ == "__main__":
    main()
