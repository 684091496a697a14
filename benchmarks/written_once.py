"""Cost of writing an equation once.

The step that pdekit derives from the written equation (pdekit.calculus + etdrk) next to a step of the same scheme
that was written by hand for this one equation: same modes, same pruned columns, four transforms for vorticity,
fused multiply-adds, no lazy fields. The hand-written step runs as it is (plain torch) and recorded to TorchScript
as pdekit's is; the goal is within 5 % of the better one. The share of the transforms is that of a step's 8 (KS) or
16 (vorticity) transforms, timed alone.

    OMP_NUM_THREADS=1 python benchmarks/written_once.py [--quick]
"""

from __future__ import annotations

import argparse
import math
import warnings
from collections.abc import Callable

from pdekit.machine import describe_machine, prepare

prepare()

import torch  # noqa: E402
from interleaved import microseconds, ratio, spread, table, take_turns  # noqa: E402
from torch import Tensor  # noqa: E402

from pdekit.calculus import Fourier  # noqa: E402
from pdekit.fields import Grid  # noqa: E402
from pdekit.pdes import KuramotoSivashinsky, NavierStokes2D  # noqa: E402
from pdekit.solvers import etdrk  # noqa: E402
from pdekit.solvers.phi import phi_scalar  # noqa: E402
from pdekit.solvers.traced import PATIENCE  # noqa: E402

Advance = Callable[[Tensor], Tensor]
VISCOSITY, FORCING, WAVENUMBER, DRAG = 1e-3, 1.0, 4, 0.1


def etdrk4(z: Tensor, dt: float, keep: Tensor, nonlinear: Advance, dtype: torch.dtype) -> Advance:
    """The four stages by hand; z is dt times the diagonal linear part."""
    phi, half_phi = phi_scalar(z, 3), phi_scalar(z / 2, 2)

    def coefficient(values: Tensor) -> Tensor:
        return (values * keep).to(dtype).contiguous()

    full, half = coefficient(phi[0] - 1), coefficient(half_phi[0] - 1)
    q_half, r_half = coefficient(dt / 2 * half_phi[1]), coefficient(dt * half_phi[2])
    q, r = coefficient(dt * (phi[1] - 2 * phi[2])), coefficient(dt * 2 * phi[2])
    f1 = coefficient(dt * (phi[1] - 3 * phi[2] + 4 * phi[3]))
    f2 = coefficient(dt * (2 * phi[2] - 4 * phi[3]))
    f3 = coefficient(dt * (4 * phi[3] - phi[2]))
    addcmul = torch.addcmul

    def advance(u: Tensor) -> Tensor:
        n_u = nonlinear(u)
        a = addcmul(addcmul(u, u, half), n_u, q_half)
        n_a = nonlinear(a)
        n_b = nonlinear(addcmul(a, n_a - n_u, r_half))
        e_u = addcmul(u, u, full)
        n_c = nonlinear(addcmul(addcmul(e_u, n_u, q), n_b, r))
        return addcmul(addcmul(addcmul(e_u, n_u, f1), n_a + n_b, f2), n_c, f3)

    return advance


def kuramoto_sivashinsky(grid: Grid, dt: float, dtype: torch.dtype) -> Advance:
    n = grid.shape[0]
    m = torch.arange(n // 2 + 1, dtype=torch.float64)
    k = 2 * math.pi * m / grid.extent[0]
    derivative = torch.where(m < n / 2, -0.5j * k, 0).to(dtype)
    rfft, irfft = torch.fft.rfft, torch.fft.irfft

    def nonlinear(u_hat: Tensor) -> Tensor:
        u = irfft(u_hat, n)
        return rfft(u * u) * derivative

    return etdrk4((dt * (k**2 - k**4)).to(torch.complex128), dt, m <= (n - 1) // 3, nonlinear, dtype)


def vorticity(grid: Grid, dt: float, dtype: torch.dtype) -> Advance:
    n, _ = grid.shape
    top = (n - 1) // 3
    mx, my = torch.fft.fftfreq(n, 1 / n).double()[:, None], torch.arange(top + 1, dtype=torch.float64)
    k2 = mx**2 + my**2  # the box is (2 pi)^2
    inverse = torch.where(k2 > 0, 1 / k2.clamp(min=1), 0)
    inside = mx.abs() < n / 2
    velocity = torch.stack((1j * my * inverse, -1j * mx * inside * inverse)).to(dtype)
    shear, stretch = (mx**2 - my**2).to(dtype), (inside * mx * my).to(dtype)
    y = grid.coordinates(1).expand(n, n)
    force = torch.fft.rfft2(-FORCING * WAVENUMBER * torch.cos(WAVENUMBER * y))[:, : top + 1].to(dtype)
    rfft, irfft, fft, ifft, addcmul = torch.fft.rfft, torch.fft.irfft, torch.fft.fft, torch.fft.ifft, torch.addcmul

    def samples(u_hat: Tensor) -> Tensor:
        return irfft(ifft(u_hat, dim=-2), n)

    def spectrum(u: Tensor) -> Tensor:
        return fft(rfft(u)[..., : top + 1], dim=-2)

    def nonlinear(w_hat: Tensor) -> Tensor:
        u, v = samples(w_hat * velocity[0]), samples(w_hat * velocity[1])
        value = addcmul(force, spectrum(u * v), shear)
        return addcmul(value, spectrum(torch.addcmul(v * v, u, u, value=-1)), stretch)

    z = (-dt * (VISCOSITY * k2 + DRAG)).to(torch.complex128)
    return etdrk4(z, dt, (mx.abs() <= top) & (my <= top), nonlinear, dtype)


def compare(name: str, size: int, batch: int, dtype: torch.dtype, rounds: int) -> list[str]:
    """One line of the table."""
    complex_dtype = torch.complex64 if dtype == torch.float32 else torch.complex128
    if name == "KS":
        pde, grid, dt, by_hand, pairs = KuramotoSivashinsky(), Grid((size,), (64.0,)), 0.05, kuramoto_sivashinsky, 4
    else:
        pde = NavierStokes2D(VISCOSITY, FORCING, WAVENUMBER, DRAG)
        grid, dt, by_hand, pairs = Grid((size, size), (2 * math.pi,) * 2), 1e-3, vorticity, 8
    step = etdrk(pde, grid, dt, dtype=dtype)
    state = step.encode(torch.randn(batch, 1, *grid.shape, dtype=dtype))
    hand = by_hand(grid, dt, complex_dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        recorded = torch.jit.trace(hand, (state,), check_trace=False)
    for _ in range(PATIENCE + 1):  # then pdekit has recorded its step too
        step.advance(state)
    difference = float((hand(state) - step.advance(state)).norm() / hand(state).norm())
    if difference > (1e-5 if dtype == torch.float32 else 1e-12):
        raise ValueError(
            f"expected the same step, found a relative difference of {difference:.1e}; correct the benchmark"
        )

    fourier = Fourier(grid, dtype, degree=2)
    samples = fourier.inverse(state)

    def transforms() -> None:
        for _ in range(pairs):
            fourier.inverse(state)
            fourier.forward(samples)

    times = take_turns(
        {
            "pdekit": lambda: step.advance(state),
            "hand": lambda: hand(state),
            "recorded": lambda: recorded(state),
            "transforms": transforms,
        },
        rounds,
    )
    better = min(("hand", "recorded"), key=lambda other: microseconds(times, other))
    return [
        f"{name} {size}" + ("^2" if grid.ndim == 2 else ""),
        str(batch),
        str(dtype).removeprefix("torch."),
        f"{microseconds(times, 'pdekit') / batch:.1f}",
        f"{ratio(times, 'pdekit', 'hand'):.2f} +- {spread(times, 'pdekit', 'hand'):.2f}",
        f"{ratio(times, 'pdekit', 'recorded'):.2f} +- {spread(times, 'pdekit', 'recorded'):.2f}",
        f"{ratio(times, 'pdekit', better):.2f}",
        f"{100 * ratio(times, 'transforms', 'pdekit'):.0f} %",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one trajectory, small grids, float32, two rounds")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    cases = [("KS", 256, 1), ("KS", 256, 64)]
    cases += [("vorticity", n, b) for n, batch in ((64, 16), (128, 8), (256, 4), (512, 4)) for b in (1, batch)]
    precisions = (torch.float32, torch.float64)
    if quick:
        cases, precisions = [("KS", 256, 1), ("vorticity", 64, 1)], precisions[:1]
    rows = [compare(*case, dtype, 2 if quick else 21) for case in cases for dtype in precisions]
    machine = describe_machine()
    print(f"{machine['cpu']}, one thread, torch {machine['torch']}; processor time per step\n")
    header = [
        "problem",
        "batch",
        "precision",
        "us per step and trajectory",
        "pdekit / by hand",
        "pdekit / by hand recorded",
    ]
    print(table([*header, "pdekit / better hand", "share of transforms"], rows))


if __name__ == "__main__":
    main()
