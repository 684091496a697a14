"""The time of all measures next to one pass of Fourier transforms over the same data.

    python benchmarks/evaluation_speed.py [--quick] [--trajectories 64] [--frames 200] [--points 128]

A pass transforms the forecast and the reference once each, frame by frame, in float32, in the blocks and batches of an
evaluation with its default settings. The measures are those of the catalogue that suit a periodic box, from tensors to
their values, and the statistics of the last half of the frames; files are left out. The sums of the reference are made
for one model alone, which is the worst case: an evaluation shares them between all models, and "a further model" is
what one more costs. Blocks are taken in turn from data that no cache holds. Times are those of the processor.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time

from pdekit import machine

COPIES = 16
"""Different parts, gone through in turn: 128 MiB of references and forecasts in float32."""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="16 trajectories, 8 frames, 32 points, two rounds: seconds"
    )
    parser.add_argument("--trajectories", type=int, default=64)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--points", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.quick:
        options.trajectories, options.frames, options.points, options.rounds = 16, 8, 32, 2
    return options


def main() -> None:
    options = parse()
    machine.prepare()
    import torch

    from pdekit.evaluation.forecasting import VALUES
    from pdekit.fields import Field, Grid, Problem
    from pdekit.metrics.budgets import budgets
    from pdekit.metrics.catalogue import CATALOGUE
    from pdekit.metrics.physics import residual
    from pdekit.metrics.statistics import STATISTICS, Window, descriptions, points_of
    from pdekit.metrics.sums import FieldSums, Sums
    from pdekit.pdes import NavierStokes2D

    n_trajectories, n_frames, n, batch = options.trajectories, options.frames, options.points, options.batch
    torch.set_num_threads(options.threads)
    box = Grid((n, n), (2 * math.pi, 2 * math.pi))
    problem = Problem(box, (Field("vorticity", "1/s"),), dt=1.0, n_frames=n_frames, pde=NavierStokes2D(forcing=1.0))
    measures = [measure for measure in CATALOGUE if measure.suits(problem)]
    size = max(1, min(n_frames, VALUES // (batch * n**2)))  # frames of a part
    n_parts, n_batches = -(-n_frames // size), n_trajectories // batch
    parts = []
    for _ in range(COPIES):
        reference = torch.randn(batch, size, 1, n, n)
        parts.append((reference, reference + 0.1 * torch.randn_like(reference)))
    points = points_of(problem, batch, n_frames // 2)

    def transforms() -> None:
        for i in range(n_batches * n_parts):
            for field in parts[i % COPIES]:
                torch.fft.rfftn(field, dim=(-2, -1))

    def scores(shared: list[Sums] | None = None, with_statistics: bool = True) -> None:
        for number in range(n_batches):
            windows = [Window(problem, points, spectral=True) for _ in range(2)]
            for part in range(n_parts):
                i = (number * n_parts + part) % COPIES
                sums = FieldSums(parts[i][1], Sums(parts[i][0], problem) if shared is None else shared[i])
                for measure in measures:
                    measure.of_sums(sums)
                if with_statistics and part >= n_parts // 2:
                    windows[0].update(sums.forecast)
                    windows[1].update(sums.reference)
            if with_statistics:
                for statistic in STATISTICS:
                    statistic.function(*windows)
                descriptions(windows[0])

    shared = [Sums(reference, problem) for reference, _ in parts]

    def fields() -> None:
        scores(with_statistics=False)

    def further() -> None:
        scores(shared)

    def physics() -> None:
        for i in range(n_batches * n_parts):
            residual(parts[i % COPIES][1], problem)
            budgets(parts[i % COPIES][1], problem)

    def seconds(function) -> float:
        begin = time.process_time()
        function()
        return time.process_time() - begin

    timed = {
        "one pass of transforms": transforms,
        "field measures": fields,
        "with statistics": scores,
        "all, of a further model": further,
        "residual and budgets": physics,
    }
    for function in timed.values():
        function()
    rounds = [[seconds(function) for function in timed.values()] for _ in range(options.rounds)]
    print(
        f"{n_trajectories} trajectories x {n_frames} frames x {n}^2, {options.threads} threads, "
        f"{len(measures)} measures"
    )
    for column, name in enumerate(timed):
        times, ratios = [r[column] for r in rounds], [r[column] / r[0] for r in rounds]
        print(f"{name:24s} {statistics.median(times):7.2f} s, {statistics.median(ratios):.2f} passes "
              f"[{min(ratios):.2f}, {max(ratios):.2f}]")  # fmt: skip


if __name__ == "__main__":
    main()
