"""Forecasts that were made elsewhere, as a surrogate that repeats them: its cost is not known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.data.forecasts import ON_TIME, Forecast
from pdekit.fields import Problem, Trajectory
from pdekit.models.base import Surrogate
from pdekit.models.stages import Stage
from pdekit.settings import Training


class StoredForecasts(Surrogate):
    """Repeats stored forecasts of the trajectories of a reference.

    Args:
        problem: of the reference.
        stored: the forecasts.
        given: frames of the reference that were known; the frames after them are forecast.
    """

    def __init__(self, problem: Problem, stored: Forecast, given: int):
        super().__init__(problem, (given, 1))
        self.stored, self.members = stored, len(stored.members)
        self.stochastic = self.members > 1
        first = given if stored.first is None and stored.n_frames < problem.n_frames else stored.first or 0
        self.skipped = given - first
        if stored.first == 0 and 0 < given == problem.n_frames - stored.n_frames:
            raise ValueError(
                f"expected times from frame {given} of the reference on, because the forecast has as many frames as "
                f"follow the {given} given ones, found times from its first frame on; correct them, or give "
                "the forecast as an array"
            )
        if self.skipped < 0:
            raise ValueError(
                f"expected forecasts from frame {given} on, found the first of frame {first}; give given={first}"
            )

    @property
    def n_frames(self) -> int:
        """Number of frames that are forecast."""
        return self.stored.n_frames - self.skipped

    def replay(
        self, member: int, samples: Sequence[int], t: Float[Tensor, "batch time"], size: int
    ) -> Iterator[Tensor]:
        """Yield the frames of one member, "batch time channel *space", at most ``size`` at once.

        Args:
            member: number of it.
            samples: numbers of the trajectories.
            t: times of the first frames that are forecast.
            size: number of frames.

        Raises:
            ValueError: if the forecasts state other times.
        """
        source = self.stored.members[member]
        for start in range(0, t.shape[1], size):
            times = t[:, start : start + size].cpu().double()
            frames = slice(self.skipped + start, self.skipped + start + times.shape[1])
            parts = [source.read(number, frames) for number in samples]
            self._check(torch.cat([part.t for part in parts]).double(), times, samples)
            yield torch.cat([part.u for part in parts])[:, :, list(self.stored.order)]

    def _check(self, found: Tensor, wanted: Tensor, samples: Sequence[int]) -> None:
        if self.stored.first is None or self.problem.steady:
            return
        wrong = (found - wanted).abs() > ON_TIME * float(self.problem.dt or 1.0)
        if wrong.any():
            row, frame = (int(i) for i in wrong.nonzero()[0])
            raise ValueError(
                f"expected forecasts at the times of the reference, t = {float(wanted[row, frame]):g}, found "
                f"t = {float(found[row, frame]):g} in trajectory {samples[row]}; put them in the order of the reference"
            )

    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        """Return the first ``members`` of the stored forecasts, whatever the generator."""
        if given.index is None or not 0 < members <= self.members:
            raise ValueError(
                f"expected at most {self.members} members of numbered samples, got {members}; ask for fewer"
            )
        samples = given.index.tolist()
        return torch.stack([next(self.replay(member, samples, t, t.shape[1])) for member in range(members)])

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        """Nothing to read."""

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Raise ValueError: nothing is learnt."""
        raise ValueError("expected a model to train, got stored forecasts; score them with pdekit.score")

    def stages(self, settings: Training) -> Sequence[Stage]:
        return ()
