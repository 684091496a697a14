"""What a kink of the initial state costs a PINN whose start holds by construction.

    python experiments/pinn/kink.py

With u = u_0 exp(-a t) + t N, the kink of Allen-Cahn's usual start x^2 cos(pi x) at x = 1 (its slope jumps by J = 4
there) stays in u with the share exp(-a t). Residuals can vanish at all points beside it, and u still solves

    u_t = D u_xx + R (u - u^3) - D J exp(-a t) delta(x - 1).

The distance of that solution from the true one is an error that no training removes. Printed for several a, relative
L2 over space and time, from a pseudo-spectral solution of both (integrating factor, midpoint rule, 2048 points).
"""

from __future__ import annotations

import math

import torch

DIFFUSIVITY, REACTION, JUMP = 1e-4, 5.0, 4.0
N, STEPS, EVERY = 2048, 1000, 20


def solution(decay: float, source: bool) -> torch.Tensor:
    """Frames of the solution from t = 0 to 1, with the spurious source or without."""
    x = -1 + 2 * torch.arange(N, dtype=torch.float64) / N
    k = math.pi * torch.arange(N // 2 + 1, dtype=torch.float64)
    dt = 1 / STEPS
    half = torch.exp(-DIFFUSIVITY * k**2 * dt / 2)
    delta = torch.zeros_like(x)
    delta[0] = source * N / 2  # x = -1 is x = 1

    def tendency(u: torch.Tensor, t: float) -> torch.Tensor:
        return torch.fft.rfft(REACTION * (u - u**3) - DIFFUSIVITY * JUMP * math.exp(-decay * t) * delta)

    u = x**2 * torch.cos(math.pi * x)
    frames = [u]
    for step in range(STEPS):
        t, u_hat = step * dt, torch.fft.rfft(u)
        middle = torch.fft.irfft(half * (u_hat + 0.5 * dt * tendency(u, t)), N)
        u = torch.fft.irfft(half * (half * u_hat + dt * tendency(middle, t + dt / 2)), N)
        frames.append(u)
    return torch.stack(frames[::EVERY])


if __name__ == "__main__":
    torch.set_num_threads(1)
    true = solution(0.0, source=False)
    print("| decay | error left by the kink |\n|---|---|")
    for decay in (0, 5, 10, 20, 40):
        print(f"| {decay} | {float((solution(decay, source=True) - true).norm() / true.norm()):.1e} |")
