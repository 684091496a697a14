"""The finest noise of a refinement, measured: the rms error of the net's own prediction while it trains."""

from __future__ import annotations

import torch
import torch.distributed
from torch import Tensor, nn

AUTO = "auto"
STEPS = 100  # over which the error is averaged
LARGEST, SMALLEST = 0.5, 1e-6  # a level must stay below one; float32 resolves nothing below the second
MEASURED = 0.75  # share of a training in which the level follows the error; then it rests


class FinestNoise(nn.Module):
    """sigma_min = sqrt(running mean of |y - NO(0)|^2), y in units of its standard deviation.

    The error is that of the first call of the refiner, which training computes in any case, so that the measurement
    costs nothing. It falls as the net learns; the level follows it for the first three quarters of the steps and is
    constant in the rest, in which the learning rate is small. Mean and level are buffers: they are stored with the
    weights, and a resumed training goes on from the same ones.

    Limits: a training that is too short leaves a level that is too large.

    >>> finest = FinestNoise()
    >>> for _ in range(3):
    ...     finest.observe(torch.tensor(0.0025))
    >>> finest.before_step(0.5)
    >>> round(finest.value, 6)
    0.05
    """

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor(LARGEST**2))
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("level", torch.tensor(LARGEST))

    @property
    def value(self) -> float:
        """Standard deviation of the finest noise."""
        return float(self.level)

    def observe(self, square: Tensor, n: int = 1) -> None:
        """Take the mean squared error of a batch into the running mean, with a weight of 1/n, at least 1/100.

        Of several processes, the mean over all their samples is taken, so that all of them have one level. Each of them
        calls this in every step, because it waits for the others: also one without a sample.

        Args:
            square: the error; of any value if there is no sample.
            n: samples over which it is the mean; without any in all processes nothing changes.
        """
        square, count = square.detach().to(self.mean), torch.tensor(float(n)).to(self.mean)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            total = torch.stack((square * count if n else torch.zeros_like(square), count))
            torch.distributed.all_reduce(total)
            square, count = total[0] / total[1], total[1]
        if count > 0:
            self.count.add_(1).clamp_(max=STEPS)
            self.mean.add_((square - self.mean) / self.count)

    def before_step(self, progress: float) -> None:
        """Set the level of the next step.

        Args:
            progress: share of the training that has passed.
        """
        if progress < MEASURED:
            self.level.copy_(self.mean.sqrt().clamp(SMALLEST, LARGEST))
