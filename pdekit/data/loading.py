"""Settings of loading: plain values, so that an entry point can check them without importing torch."""

from __future__ import annotations

from dataclasses import dataclass

from pdekit.typed_values import check_types


@dataclass(frozen=True)
class Loading:
    """Settings of the loaders.

    Args:
        batch_size: training windows in a batch, of each process.
        eval_batch_size: validation and test windows in a batch; the same if None.
        num_workers: processes that read; 0 reads in the training process, which is best on a CPU (a window reads in
            tens of microseconds).
        seed: seed of the order of the training windows.
        n_trajectories: use only so many training trajectories; None for all.
    """

    batch_size: int = 16
    eval_batch_size: int | None = None
    num_workers: int = 0
    seed: int = 0
    n_trajectories: int | None = None

    def __post_init__(self):
        check_types(self, "loading")
        for name in ("batch_size", "eval_batch_size", "n_trajectories"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"expected {name} >= 1, got {value}; set a positive number")
        if self.num_workers < 0:
            raise ValueError(f"expected num_workers >= 0, got {self.num_workers}; 0 reads in the training process")
