"""Cost of a kink of the initial state for a PINN whose start holds by construction, and gain of carrying the start.

    python experiments/pinn/kink.py

With u = u_0 exp(-a t) + t N, the kink of Allen-Cahn's usual start x^2 cos(pi x) at x = 1 (its slope jumps by J = 4
there) stays in u with the share exp(-a t). Residuals can vanish at all points next to it, and u still solves

    u_t = D u_xx + R (u - u^3) - D J exp(-a t) delta(x - 1).

The distance of that solution from the true one is an error that no training removes: "left". A start that the linear
part carries, u = exp(-a t) exp(t L) u_0 + t N with L = D d_xx + R, has no kink at t > 0, and leaves nothing.

What N must hold of it shows in "bend", the largest second derivative of t N = u - start in the true solution within 0.1
of the kink (which itself is left out) for t >= 0.02; where no kink is, that of u is about 8 at first.
Printed for several a, errors as relative L2 over space and time, from a pseudo-spectral solution (integrating factor,
midpoint rule, 2048 points).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

DIFFUSIVITY, REACTION, JUMP = 1e-4, 5.0, 4.0
N, STEPS, EVERY = 2048, 1000, 20
NEAR = N // 20  # points within 0.1
DECAYS = (0, 5, 10, 15, 20, 40)
K = math.pi * torch.arange(N // 2 + 1, dtype=torch.float64)
T = torch.arange(0, STEPS + 1, EVERY, dtype=torch.float64)[:, None] / STEPS


def initial() -> Tensor:
    x = -1 + 2 * torch.arange(N, dtype=torch.float64) / N
    return x**2 * torch.cos(math.pi * x)


def solution(decay: float, source: bool) -> Tensor:
    """Frames of the solution from t = 0 to 1, with the spurious source or without."""
    dt = 1 / STEPS
    half = torch.exp(-DIFFUSIVITY * K**2 * dt / 2)
    delta = torch.zeros(N, dtype=torch.float64)
    delta[0] = source * N / 2  # x = -1 is x = 1

    def tendency(u: Tensor, t: float) -> Tensor:
        return torch.fft.rfft(REACTION * (u - u**3) - DIFFUSIVITY * JUMP * math.exp(-decay * t) * delta)

    u = initial()
    frames = [u]
    for step in range(STEPS):
        t, u_hat = step * dt, torch.fft.rfft(u)
        middle = torch.fft.irfft(half * (u_hat + 0.5 * dt * tendency(u, t)), N)
        u = torch.fft.irfft(half * (half * u_hat + dt * tendency(middle, t + dt / 2)), N)
        frames.append(u)
    return torch.stack(frames[::EVERY])


def start(decay: float, carried: bool) -> Tensor:
    """The share of the start in u, frame by frame."""
    rates = (REACTION - DIFFUSIVITY * K**2) * carried - decay
    return torch.fft.irfft(torch.fft.rfft(initial()) * torch.exp(rates * T), N)


def bend(true: Tensor, decay: float, carried: bool) -> float:
    """The largest second derivative of t N next to the kink."""
    tn = true - start(decay, carried)
    second = (tn.roll(1, 1) - 2 * tn + tn.roll(-1, 1)) * (N / 2) ** 2
    return float(torch.cat((second[1:, 1:NEAR], second[1:, 1 - NEAR :]), 1).abs().max())


if __name__ == "__main__":
    torch.set_num_threads(1)
    true = solution(0.0, source=False)

    def error(u: Tensor) -> str:
        return f"{float((u - true).norm() / true.norm()):.1e}"

    print("| decay | hard: left | hard: bend | carried: left | carried: bend |\n|---|---|---|---|---|")
    for decay in DECAYS:
        hard = f"{error(solution(decay, source=True))} | {bend(true, decay, carried=False):.0f}"
        print(f"| {decay} | {hard} | 0 | {bend(true, decay, carried=True):.0f} |")
