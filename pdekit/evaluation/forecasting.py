"""Forecasts of any length: a model forecasts again from its own last frames, a stretch at a time."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from pdekit.data.windows import Source, collate
from pdekit.evaluation.memory import peak_bytes
from pdekit.fields import Problem, Trajectory, n_values
from pdekit.models.base import Stepper, Surrogate
from pdekit.models.noise import derived_seed

CPU = torch.device("cpu")
VALUES = 2**20
"""Values of one stretch of frames (batch, time, channels, space): 4 MiB in float32, small enough for a cache."""


class Contender:
    """A model that takes part: its forecasts, the time they take, and the network calls they make.

    Args:
        name: its row in the scores.
        model: calibrated, trained.
        kind: "surrogate", "baseline" or "solver".
        seed: with the number of the member, the seed of its forecasts.
        members: ensemble members; baselines and solvers, which have no randomness, make one, and so does a surrogate
            that is found to have none.
        device: where it forecasts.
    """

    def __init__(
        self,
        name: str,
        model: Surrogate,
        kind: str,
        seed: int,
        members: int,
        device: torch.device = CPU,
    ):
        self.name, self.kind, self.device = name, kind, device
        self.model = model.to(device).eval()
        self.members = members if kind == "surrogate" else 1
        self.generators = [torch.Generator().manual_seed(derived_seed(seed, m)) for m in range(self.members)]
        self.history = model.window[0]
        self.parameters = sum(p.numel() for p in model.parameters())
        self.seconds: list[float] = []
        self.calls: list[int] = []
        self.peak_bytes = 0

    def stretch(self, problem: Problem, batch_size: int) -> int:
        """Frames of one call: as many as memory allows for a stepper, as many as it was made for otherwise.

        A solver is not stopped on the way: what its own grid and precision know would be lost.
        """
        if isinstance(self.model, Stepper):
            return max(1, VALUES // (batch_size * problem.n_channels * n_values(problem.grid)))
        if self.kind != "surrogate":
            return problem.n_frames
        target = self.model.window[1]
        return max(1, problem.n_frames - self.history) if target == "all" else int(target)

    def warm_up(self, given: Trajectory, t: Tensor, forcing: Tensor | None) -> None:
        """Short forecasts that are not timed: the first call compiles, plans and fills caches.

        If all members come out equal the model has no randomness, and one member is enough. One more frame of one
        sample shows how much memory a forecast takes.
        """
        _, forecasts = next(self.forecast(given, t[:, :1], forcing))
        if all(torch.equal(other, forecasts[0]) for other in forecasts[1:]):
            self.members = 1
            self.generators = self.generators[:1]
        one = slice(0, 1)
        alone = None if forcing is None else forcing[one]
        self.peak_bytes = peak_bytes(lambda: next(self.forecast(given.samples(one), t[one, :1], alone)), self.device)

    def seconds_with(self, size: int, given: Trajectory, t: Tensor, forcing: Tensor | None) -> float:
        """Seconds of one forecast when ``size`` of them are made together (samples are repeated if there are fewer)."""
        which = torch.arange(size) % len(given)
        together = None if forcing is None else forcing[which]
        for _ in self.forecast(given.samples(which), t[which], together):
            pass
        self.calls.pop()
        return self.seconds.pop()

    def forecast(self, given: Trajectory, t: Tensor, forcing: Tensor | None) -> Iterator[tuple[slice, list[Tensor]]]:
        """Consecutive stretches of frames, and the forecast of each member: "batch time channel *space".

        Args:
            given: what is known beforehand; the model gets the last ``history`` frames of it.
            t: absolute times wanted.
            forcing: known forcing from the first given frame to the last frame wanted.
        """
        states = [_last(given, self.history)] * self.members
        seconds, calls = 0.0, 0
        size = self.stretch(self.model.problem, len(given))
        for start in range(0, t.shape[1], size):
            where = slice(start, min(start + size, t.shape[1]))
            forecasts = []
            for member, generator in enumerate(self.generators):
                known = states[member]
                if forcing is not None:
                    first = given.u.shape[1] - self.history + start
                    known = dataclasses.replace(known, forcing=forcing[:, first : given.u.shape[1] + where.stop])
                u, spent, n_calls = self._forecast(known, t[:, where], generator)
                seconds, calls = seconds + spent, calls + n_calls
                forecasts.append(u)
                if where.stop < t.shape[1]:
                    states[member] = self._advance(states[member], u, t[:, where])
            yield where, forecasts
        self.seconds.append(seconds / (len(given) * self.members))
        self.calls.append(calls // self.members)

    def _forecast(self, given: Trajectory, t: Tensor, generator: torch.Generator) -> tuple[Tensor, float, int]:
        """One member's frames, the seconds and the network calls they took."""
        given, t = given.to(self.device), t.to(self.device)
        count = [0]

        def add_one(module, inputs, output):
            count[0] += 1

        nets = [child for child in self.model.children() if any(True for _ in child.parameters())]
        hooks = [net.register_forward_hook(add_one) for net in nets]
        try:
            _synchronise(self.device)
            begin = time.perf_counter()
            with torch.no_grad():
                u = self.model.forecast(given, t, members=1, generator=generator)
            _synchronise(self.device)
            spent = time.perf_counter() - begin
        finally:
            for hook in hooks:
                hook.remove()
        expected = (1, *t.shape, self.model.problem.n_channels, *given.u.shape[3:])
        if tuple(u.shape) != expected:
            raise ValueError(
                f"expected a forecast of shape {expected} (member batch time channel *space), got {tuple(u.shape)} "
                f"from {self.name}; correct its forecast()"
            )
        return u[0], spent, count[0]

    def _advance(self, state: Trajectory, u: Tensor, t: Tensor) -> Trajectory:
        if not self.history:
            return state
        u = torch.cat([state.u, u.to(state.u)], dim=1)[:, -self.history :]
        return dataclasses.replace(state, u=u, t=torch.cat([state.t, t.to(state.t)], dim=1)[:, -self.history :])


def read(source: Source, trajectories: Sequence[int], starts: Sequence[int], frames: slice) -> Trajectory:
    """Frames of several trajectories, each counted from its own start, as one batch.

    Raises:
        ValueError: on NaN or Inf in a reference, outside a mask: nothing can be scored against it.
    """
    pieces = [
        source.read(trajectory, slice(start + frames.start, start + frames.stop))
        for trajectory, start in zip(trajectories, starts, strict=True)
    ]
    batch = collate(pieces)
    bad = ~torch.isfinite(batch.u)
    if batch.mask is not None:
        bad &= batch.mask[:, None] > 0
    if batch.point_mask is not None:
        bad &= batch.point_mask[:, None, None] > 0
    if bad.any():
        row, frame = (int(i) for i in bad.flatten(2).any(-1).nonzero()[0])
        raise ValueError(
            f"expected a finite reference, found NaN or Inf in test trajectory {trajectories[row]} at "
            f"t = {float(batch.t[row, frame]):g}; remove it, or mask the points where the field does not exist"
        )
    return batch


def _last(given: Trajectory, history: int) -> Trajectory:
    n = given.u.shape[1]
    return given.frames(slice(n - history, n))


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
