"""The time of all measures beside one pass of Fourier transforms over the same data.

python benchmarks/evaluation_speed.py [trajectories=64] [frames=200] [points=128]

A pass transforms the forecast and the reference once each, frame by frame, in parts as an evaluation does. The measures
are those of the catalogue that suit a periodic box, from tensors to their values; files are left out. The reference is
known once for a model, which is the worst case: in an evaluation it is shared by all models.
"""

from __future__ import annotations

import statistics
import sys
import time

import torch

from pdekit import machine
from pdekit.evaluation.forecasting import VALUES
from pdekit.fields import Field, Grid, Problem
from pdekit.metrics.catalogue import CATALOGUE
from pdekit.metrics.pair import Known, Pair

REPEATS = 5


def main() -> None:
    machine.prepare()
    given = dict(argument.split("=") for argument in sys.argv[1:])
    n_trajectories, n_frames, n = (int(given.get(k, v)) for k, v in
                                   (("trajectories", 64), ("frames", 200), ("points", 128)))  # fmt: skip
    problem = Problem(Grid((n, n), (1.0, 1.0)), (Field("vorticity", "1/s"),), dt=1.0, n_frames=n_frames)
    measures = [measure for measure in CATALOGUE if measure.suits(problem)]
    size = max(1, VALUES // n**2)  # frames of a part
    parts = -(-n_trajectories * n_frames // size)
    reference = torch.randn(1, size, 1, n, n)
    u = reference + 0.1 * torch.randn_like(reference)

    def transforms() -> None:
        for _ in range(parts):
            torch.fft.rfftn(reference, dim=(-2, -1))
            torch.fft.rfftn(u, dim=(-2, -1))

    def scores() -> None:
        for _ in range(parts):
            pair = Pair(u, Known(reference, problem))
            for measure in measures:
                measure.of_pair(pair)

    def seconds(function) -> float:
        begin = time.perf_counter()
        function()
        return time.perf_counter() - begin

    transforms(), scores()
    rounds = [(seconds(transforms), seconds(scores)) for _ in range(REPEATS)]
    ratios = [score / transform for transform, score in rounds]
    print(f"{n_trajectories} trajectories x {n_frames} frames x {n}^2, {torch.get_num_threads()} threads, "
          f"{len(measures)} measures")  # fmt: skip
    print(f"one pass of transforms: {statistics.median(r[0] for r in rounds):.2f} s")
    print(f"all measures:           {statistics.median(r[1] for r in rounds):.2f} s")
    print(f"ratio:                  {statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]")


if __name__ == "__main__":
    main()
