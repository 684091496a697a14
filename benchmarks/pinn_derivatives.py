"""Time of one training step (loss and its gradient) of a PINN by different means of differentiation.

    python benchmarks/pinn_derivatives.py [--quick] [--rounds 15] [--compile]

Same net, points, precision and loss for all; one thread; they take turns. Milliseconds are the least processor time,
ratios to nested autograd the median over rounds with half the distance between the quartiles.

DeepXDE and PINA take part where they are installed, by the derivative operators they offer (`dde.grad.jacobian` and
`hessian`, `pina.operator.grad`), on the same torch net; both give the residual of the oracle to rounding. The
environment of `make oracles` has them; one that is missing is named.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import warnings
from collections.abc import Callable
from functools import partial

os.environ.setdefault("DDE_BACKEND", "pytorch")

import torch
from interleaved import microseconds, ratio, spread, table, take_turns
from torch import Tensor
from torch.func import functional_call, grad, jvp, vmap

from pdekit.calculus.autodiff import Autodiff
from pdekit.calculus.jets import Jet
from pdekit.calculus.taylor import Taylor, jet_derivatives, required
from pdekit.nets.coordinate import Domain
from pdekit.nets.mlp import MLP
from pdekit.pdes.allen_cahn import AllenCahn
from pdekit.pdes.kuramoto_sivashinsky import KuramotoSivashinsky

Residual = Callable[[Tensor], Tensor]
ORACLE = "nested autograd"
CASES = {
    "Allen-Cahn (2nd order)": (AllenCahn(), 2),
    "Kuramoto-Sivashinsky (4th order)": (KuramotoSivashinsky(viscosity=0.01), 4),
}


def hand_written(pde, u: Tensor, u_t: Tensor, u_x: Tensor, u_xx: Tensor, u_xxxx: Tensor | None) -> Tensor:
    """The residual from given derivatives, for the means that do not read the equation."""
    if u_xxxx is None:
        return u_t - pde.diffusivity * u_xx - pde.reaction * (u - u**3)
    return u_t + u * u_x + u_xx + pde.viscosity * u_xxxx


def taylor(net, pde, order: int) -> Residual:
    orders = required(pde.residual, 1, 1)

    def residual(points: Tensor) -> Tensor:
        d = Taylor(points.split(1, dim=1), jet_derivatives(net(Jet.of_points(points, orders))), 1)
        return pde.residual(d.field, d).value

    return residual


def nested(net, pde, order: int) -> Residual:
    def residual(points: Tensor) -> Tensor:
        columns = tuple(c.detach().clone().requires_grad_() for c in points.split(1, dim=1))
        return pde.residual(net(torch.cat(columns, 1)), Autodiff(columns))

    return residual


def func_reverse(net, pde, order: int) -> Residual:
    """vmap of nested torch.func.grad."""
    parameters = dict(net.named_parameters())

    def u(x: Tensor, t: Tensor) -> Tensor:
        return functional_call(net, parameters, (torch.stack((x, t))[None],))[0, 0]

    derivatives = [u]
    for _ in range(order):
        derivatives.append(grad(derivatives[-1], argnums=0))
    wanted = [u, grad(u, argnums=1), *derivatives[1:3], *derivatives[4:]]

    def residual(points: Tensor) -> Tensor:
        values = [vmap(f)(points[:, 0], points[:, 1]) for f in wanted]
        return hand_written(pde, *values, *([None] * (5 - len(values))))[:, None]

    return residual


def func_forward(net, pde, order: int) -> Residual:
    """Batched jvp of jvp."""

    def residual(points: Tensor) -> Tensor:
        ones = torch.ones(len(points), 1, dtype=points.dtype)
        along_x = torch.cat((ones, 0 * ones), 1)

        def derivative(f):
            return lambda p: jvp(f, (p,), (along_x,))[1]

        functions = [net]
        for _ in range(order):
            functions.append(derivative(functions[-1]))
        u_t = jvp(net, (points,), (torch.cat((0 * ones, ones), 1),))[1]
        values = [net(points), u_t, functions[1](points), functions[2](points)]
        return hand_written(pde, *values, functions[4](points) if order == 4 else None)

    return residual


def deepxde(net, pde, order: int) -> Residual:
    import deepxde as dde

    def residual(points: Tensor) -> Tensor:
        p = points.detach().clone().requires_grad_()
        u = net(p)
        u_t, u_x = dde.grad.jacobian(u, p, i=0, j=1), dde.grad.jacobian(u, p, i=0, j=0)
        u_xx = dde.grad.hessian(u, p, i=0, j=0)
        u_xxxx = dde.grad.hessian(u_xx, p, i=0, j=0) if order == 4 else None
        dde.grad.clear()
        return hand_written(pde, u, u_t, u_x, u_xx, u_xxxx)

    return residual


def pina(net, pde, order: int) -> Residual:
    from pina import LabelTensor
    from pina.operator import grad as gradient

    def once(u, p, axis):
        return gradient(u, p, components=u.labels, d=[axis])

    def residual(points: Tensor) -> Tensor:
        p = LabelTensor(points.detach().clone(), ["x", "t"]).requires_grad_()
        u = LabelTensor(net(p.tensor), ["u"])
        chain = [u]
        for _ in range(order):
            chain.append(once(chain[-1], p, "x"))
        plain = [value.tensor for value in (u, once(u, p, "t"), *chain[1:3], *chain[4:])]
        return hand_written(pde, *plain, *([None] * (5 - len(plain))))

    return residual


def step(residual: Residual, net, points: Tensor) -> None:
    net.zero_grad()
    residual(points).square().mean().backward()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few points, a small net, two rounds: seconds")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--points", type=int, default=2048)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--double", action="store_true", help="float64 instead of float32")
    parser.add_argument("--compile", action="store_true", help="also the compiled jet (the compiler takes a minute)")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.points, options.width, options.depth = 2, 64, 16, 2
    torch.set_num_threads(1)
    # the cached tables of multi-indices are constants: tracing through their cache is right
    warnings.filterwarnings("ignore", message="Dynamo detected a call to a `functools.lru_cache`")
    dtype = torch.float64 if options.double else torch.float32
    torch.manual_seed(0)
    points = (torch.rand(options.points, 2, dtype=torch.float64) * 2 - 1).to(dtype)
    net = MLP(Domain([-1.0, -1.0], [1.0, 1.0], [True, False]), 1, width=options.width, depth=options.depth, harmonics=5)
    net = net.to(dtype)
    means = {ORACLE: nested, "Taylor jet": taylor, "torch.func reverse": func_reverse}
    means["torch.func forward"] = func_forward
    for name, make, module in (("DeepXDE", deepxde, "deepxde"), ("PINA", pina, "pina")):
        if importlib.util.find_spec(module):
            means[name] = make
        else:
            print(f"{name}: not installed (make oracles installs it)")
    print(f"{options.points} points, {options.depth} x {options.width} tanh, {dtype}")
    for title, (pde, order) in CASES.items():
        residuals = {name: make(net, pde, order) for name, make in means.items()}
        oracle = residuals[ORACLE](points).detach()
        differences = {name: residual(points).detach() - oracle for name, residual in residuals.items()}
        if options.compile:
            residuals["Taylor jet, compiled"] = torch.compile(residuals["Taylor jet"], fullgraph=True)
        steps = {name: partial(step, residual, net, points) for name, residual in residuals.items()}
        times = take_turns(steps, options.rounds)
        rows = [
            [
                name,
                f"{microseconds(times, name) / 1e3:.1f}",
                f"{ratio(times, name, ORACLE):.2f} ± {spread(times, name, ORACLE):.2f}",
                f"{float(differences[name].abs().max() / oracle.abs().max()):.1e}" if name in differences else "",
            ]
            for name in steps
        ]
        print(table([title, "ms", "ratio", "difference"], rows))


if __name__ == "__main__":
    main()
