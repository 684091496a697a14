"""Gradients through the solvers: accuracy, time and memory of vector-Jacobian products.

    python benchmarks/gradients.py [--quick] [--rounds 7]

One thread, float64. For L = <w, u(T)> with random w, the gradient by the start (by the coefficient, of Darcy) is
taken by reverse mode through all steps, and by reverse mode with a checkpoint at every step, which keeps one state and
computes the step again. Of Darcy it is the adjoint of `elliptic_solution`.

error vs differences: |<g, v> - (L(+h v) - L(-h v)) / 2h| / |<g, v>|, the least over h = 1e-3 ... 1e-7
error vs adjoint: distance of g from the adjoint equation's solution, where that is known in closed form: the adjoint of
    diffusion is diffusion, that of advection is advection backwards; of the others |<J v, w> - <v, J^T w>| by
    forward mode

Limits: a limiter has kinks, so that differences across them agree with no gradient to more than about 1e-3.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from interleaved import microseconds, ratio, table, take_turns
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from pdekit.fields import Grid
from pdekit.pdes import Advection, Diffusion, KuramotoSivashinsky, NavierStokes2D, ShallowWater
from pdekit.solvers import etdrk, finite_volume
from pdekit.solvers.elliptic_adjoint import elliptic_solution

STEPS = 20
Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Case:
    """A differentiable map, the same with checkpoints (None: it keeps one state anyway), and its start."""

    forward: Map
    checked: Map | None
    start: Tensor
    adjoint: Map | None = None


def march(step: Map, n: int) -> tuple[Map, Map]:
    def plain(u: Tensor) -> Tensor:
        for _ in range(n):
            u = step(u)
        return u

    def checked(u: Tensor) -> Tensor:
        for _ in range(n):
            u = checkpoint(step, u, use_reentrant=False)
        return u

    return plain, checked


def smooth(grid: Grid, channels: int = 1) -> Tensor:
    """A sum of a few waves in each channel."""
    total = torch.zeros(1, channels, *grid.shape, dtype=torch.float64)
    for axis, x in enumerate(grid.mesh()):
        angle = 2 * torch.pi * x / grid.extent[axis]
        for k in (1, 2, 3):
            total += torch.randn(1, channels, *[1] * grid.ndim, dtype=torch.float64) * torch.cos(k * angle + k)
    return total / grid.ndim


def cases(quick: bool) -> dict[str, Case]:
    n, m = (32, 16) if quick else (256, 64)
    line, box = Grid((n,), (22.0,)), Grid((m, m), (6.283185307179586,) * 2)
    found = {}
    for name, pde, back in (
        ("diffusion", Diffusion(diffusivity=0.1), Diffusion(diffusivity=0.1)),
        ("advection", Advection(velocity_x=1.0), Advection(velocity_x=-1.0)),
        ("Kuramoto-Sivashinsky", KuramotoSivashinsky(), None),
    ):
        adjoint = None if back is None else march(etdrk(back, line, 0.05), STEPS)[0]
        found[f"{name}, ETDRK4, {n}"] = Case(*march(etdrk(pde, line, 0.05), STEPS), smooth(line), adjoint)
    flow = march(etdrk(NavierStokes2D(viscosity=0.01), box, 0.01), STEPS)
    found[f"vorticity, ETDRK4, {m}^2"] = Case(*flow, smooth(box))
    water = 1 + 0.1 * smooth(box, 3) * torch.tensor([1.0, 0.1, 0.1]).reshape(1, 3, 1, 1)
    water[:, 1:] -= 1
    found[f"shallow water, MUSCL, {m}^2"] = Case(*march(finite_volume(ShallowWater(), box, 0.01), STEPS), water)
    a = 2 + torch.tanh(smooth(Grid((m + 1, m + 1), (1.0, 1.0)))[0, 0])
    found[f"Darcy, adjoint, {m + 1}^2"] = Case(lambda a: elliptic_solution(a, 1.0, (1 / m, 1 / m)), None, a)
    return found


def gradient(function: Map, u: Tensor, w: Tensor) -> Tensor:
    u = u.clone().requires_grad_()
    return torch.autograd.grad((function(u) * w).sum(), u)[0]


def saved_mib(function: Map, u: Tensor) -> float:
    """Memory of the tensors that reverse mode keeps, each storage once."""
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        function(u.clone().requires_grad_())
    return sum(kept.values()) / 2**20


def errors(case: Case) -> tuple[float, float]:
    """(relative error against differences, and against the adjoint or forward mode)."""
    w, v = torch.randn_like(case.forward(case.start)), torch.randn_like(case.start)
    v = v / v.norm() * case.start.norm()
    g = gradient(case.forward, case.start, w)
    along = float((g * v).sum())
    differences = []
    for power in range(3, 8):
        h = 10.0**-power
        ends = [float((case.forward(case.start + s * h * v) * w).sum()) for s in (1, -1)]
        differences.append(abs(along - (ends[0] - ends[1]) / (2 * h)) / abs(along))
    if case.adjoint is not None:
        exact = case.adjoint(w)
        return min(differences), float((g - exact).norm() / exact.norm())
    if case.checked is None:
        return min(differences), float("nan")
    _, forward = torch.func.jvp(case.forward, (case.start,), (v,))
    return min(differences), abs(float((forward * w).sum()) - along) / abs(along)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    for name, case in cases(options.quick).items():
        w = torch.ones_like(case.forward(case.start))
        works = {
            "forward": partial(case.forward, case.start),
            "reverse": partial(gradient, case.forward, case.start, w),
        }
        if case.checked is not None:
            works["checked"] = partial(gradient, case.checked, case.start, w)
        times = take_turns(works, 1 if options.quick else options.rounds)
        milliseconds = microseconds(times, "forward") / 1000
        of_differences, of_adjoint = errors(case)
        row = [name, f"{of_differences:.0e}", "–" if of_adjoint != of_adjoint else f"{of_adjoint:.0e}"]
        kept = saved_mib(case.forward, case.start)
        row += [f"{milliseconds:.2g}", f"{ratio(times, 'reverse', 'forward'):.1f}", f"{kept:.2f}"]
        if case.checked is None:
            row += ["–", "–"]
        else:
            row += [f"{ratio(times, 'checked', 'forward'):.1f}", f"{saved_mib(case.checked, case.start):.2f}"]
        rows.append(row)
    heads = ["map", "error vs differences", "error vs adjoint", "forward ms", "gradient / forward", "MiB kept"]
    print(table([*heads, "with checkpoints / forward", "MiB kept"], rows))


if __name__ == "__main__":
    main()
