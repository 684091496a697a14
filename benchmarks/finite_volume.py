"""Cost and error of the finite-volume step, in float64 and float32.

A radial dam break of shallow water: processor time per step and trajectory in both precisions, in turns, and the
relative L1 error of depth at t = 1 against 512^2 cells.

    OMP_NUM_THREADS=1 python benchmarks/finite_volume.py [--quick]
"""

from __future__ import annotations

import argparse

from pdekit.machine import describe_machine, prepare

prepare()

import torch  # noqa: E402
from interleaved import microseconds, ratio, spread, table, take_turns  # noqa: E402
from torch import Tensor  # noqa: E402

from pdekit.fields import Grid  # noqa: E402
from pdekit.pdes import ShallowWater  # noqa: E402
from pdekit.solvers import finite_volume, integrate  # noqa: E402

LENGTH, COURANT = 5.0, 0.15  # dt = COURANT h; the fastest wave runs at about 2 in each direction


def dam(n: int, dtype: torch.dtype, batch: int = 1) -> tuple[Grid, Tensor]:
    grid = Grid((n, n), (LENGTH, LENGTH), (-LENGTH / 2, -LENGTH / 2))
    x, y = (c + LENGTH / n / 2 for c in grid.mesh())
    depth = torch.where(x**2 + y**2 < 0.25, 2.0, 1.0)
    return grid, torch.stack((depth, 0 * depth, 0 * depth)).to(dtype).expand(batch, 3, n, n).contiguous()


def depth_at_1(n: int) -> Tensor:
    grid, u = dam(n, torch.float64)
    n_steps = round(n / LENGTH / COURANT)
    return integrate(finite_volume(ShallowWater(), grid, 1.0 / n_steps), u, 2, n_steps)[0, -1, 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one size, reference of 128^2 cells")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    rows = []
    for n, batch in [(64, 1)] if quick else [(64, 1), (64, 16), (128, 1), (128, 8)]:
        turns = {}
        for dtype in (torch.float64, torch.float32):
            grid, u = dam(n, dtype, batch)
            step = finite_volume(ShallowWater(), grid, COURANT * LENGTH / n, dtype=dtype)
            turns[str(dtype).removeprefix("torch.")] = lambda step=step, u=u: step(u)
        times = take_turns(turns, 2 if quick else 15)
        rows.append(
            [f"{n}^2", str(batch)]
            + [f"{microseconds(times, name) / batch:.0f}" for name in turns]
            + [f"{ratio(times, *turns):.2f} +- {spread(times, *turns):.2f}"]
        )
    print(describe_machine())
    print(table(["cells", "batch", "float64 us", "float32 us", "float64 / float32"], rows))
    finest = 128 if quick else 512
    reference = depth_at_1(finest)
    for n in (32,) if quick else (64, 128):
        k = finest // n
        averages = reference.unflatten(0, (n, k)).unflatten(2, (n, k)).mean(dim=(1, 3))
        error = float((depth_at_1(n) - averages).abs().mean() / averages.mean())
        print(f"{n}^2: relative L1 error of depth at t = 1: {error:.2e}")


if __name__ == "__main__":
    main()
