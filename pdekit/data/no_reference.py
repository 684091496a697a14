"""A data module without data, for methods that need none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lightning import LightningDataModule

from pdekit.fields import Problem, Trajectory


class NoReference(LightningDataModule):
    """Stands for the data of a problem of which no trajectory is known; nothing is validated.

    Args:
        problem: problem to solve.
    """

    def __init__(self, problem: Problem):
        super().__init__()
        self.problem = problem

    def calibration_batches(self) -> Iterator[Trajectory]:
        """Return no batch."""
        return iter(())

    def param_ranges(self) -> dict[str, list[float]]:
        """Return no range."""
        return {}

    def set_window(self, history: int, target: Any) -> None:
        """Do nothing: there is nothing to cut."""

    def val_dataloader(self) -> list[Trajectory]:
        """Return no batch."""
        return []
