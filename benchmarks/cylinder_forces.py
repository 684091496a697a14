"""Drag, lift and Strouhal number of DFG 2D-2 (Schaefer and Turek 1996), flow past a cylinder at Reynolds number 100.

    OMP_NUM_THREADS=1 python benchmarks/cylinder_forces.py             about fourteen minutes of CPU time
    OMP_NUM_THREADS=1 python benchmarks/cylinder_forces.py --quick     some steps only, without physical meaning

The step is shortened on one mesh, then degree and mesh are refined. Published intervals: drag 3.22 to 3.24, lift 0.99
to 1.01 (largest over a period), Strouhal number 0.295 to 0.305.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from pdekit.cases.channel_flow import Channel, ChannelFlow

CHANNEL = Channel(2.2, 0.41, (0.2, 0.2), 0.05)
DIAMETER, VISCOSITY = 0.1, 1e-3


def run(order, sizes, dt, end, start=None):
    """Follow the flow up to a time, print the figures of its last 0.7 s, and return it."""
    mesh = CHANNEL.mesh(*sizes)
    inflow = CHANNEL.inflow(mesh, 1.0)
    flow = ChannelFlow(mesh, order, VISCOSITY, dt, lambda t: inflow, start=start)
    began, rows = time.process_time(), []
    for _ in range(round(end / dt)):
        flow.advance()
        if flow.t > end - 0.7:
            rows.append((flow.t, *(2 * part / DIAMETER for part in flow.force("cylinder"))))
    t, drag, lift = np.array(rows).T
    up = np.flatnonzero((lift[:-1] < 0) & (lift[1:] >= 0))
    crossings = t[up] - lift[up] * dt / (lift[up + 1] - lift[up])
    strouhal = DIAMETER / np.diff(crossings).mean() if len(crossings) > 1 else np.nan
    seconds = time.process_time() - began
    figures = f"{drag.max():.4f} | {lift.max():.4f} | {lift.min():.4f} | {strouhal:.4f}"
    print(f"| {order} | {sizes[1]:g} | {1000 * dt:g} | {mesh.nv} | {figures} | {seconds:.0f} |", flush=True)
    return flow


def main():
    print("| degree | size at the cylinder (m) | step (ms) | vertices | drag | lift | least lift | Strouhal | CPU s |")
    print("|---|---|---|---|---|---|---|---|---|")
    if "--quick" in sys.argv:
        run(2, (0.2, 0.06), 2e-3, 0.02)
        return
    flow = run(3, (0.08, 0.02), 1e-3, 4.5)
    for dt in (5e-4, 2.5e-4):
        run(3, (0.08, 0.02), dt, 2.1, start=flow.velocity)
    run(4, (0.08, 0.02), 5e-4, 2.8, start=flow.velocity)
    run(4, (0.06, 0.016), 4e-4, 2.8, start=flow.velocity)
    run(6, (0.08, 0.02), 2e-4, 2.8, start=flow.velocity)


if __name__ == "__main__":
    main()
