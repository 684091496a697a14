"""Forecasts of any length: a model forecasts again from its own last frames, a stretch at a time."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from pdekit.evaluation.memory import peak_bytes
from pdekit.evaluation.stored_forecasts import StoredForecasts
from pdekit.fields import Problem, Trajectory, n_values
from pdekit.models.base import Stepper, Surrogate
from pdekit.models.noise import derived_seed

CPU = torch.device("cpu")
VALUES = 2**20
"""Values of one stretch of frames (batch, time, channels, space): 4 MiB in float32, small enough for a cache."""
TIMED_FRAMES = 10
"""Frames of a single forecast that is made for its time alone."""
REPEATS = 3
"""Forecasts of which a time is the median."""
LONG = 2.0
"""Seconds of timed forecasts after which none is repeated: such times vary little."""

Forcing = Callable[[slice], Tensor | None]
"""The forcing of frames that are counted from the first given one."""


def unforced(frames: slice) -> None:
    """No forcing."""


def block_size(problem: Problem, batch_size: int) -> int:
    """Frames of a batch that are held, forecast and scored at once."""
    return max(1, VALUES // (batch_size * problem.n_channels * n_values(problem.grid)))


def device_of(model: Surrogate) -> torch.device:
    """Return the device of the first parameter or buffer of a model; the CPU if it has none."""
    return next((tensor.device for tensors in (model.parameters(), model.buffers()) for tensor in tensors), CPU)


def nets_of(model: Surrogate) -> Iterator[nn.Module]:
    """Yield the nets of a model whose calls count: its children with parameters, and those of surrogates in it."""
    for child in model.children():
        if isinstance(child, Surrogate):
            yield from nets_of(child)
        elif any(True for _ in child.parameters()):
            yield child


@dataclasses.dataclass(frozen=True)
class Timing:
    """One timed forecast of a batch.

    Args:
        samples: number of samples in the batch.
        seconds: time for one member of one sample.
        calls: number of network calls for one member.
    """

    samples: int
    seconds: float
    calls: int


class Contender:
    """A model that takes part: its forecasts, the time they take, and the network calls they make.

    Args:
        name: its row in the scores.
        model: calibrated, trained.
        kind: "surrogate", "baseline" or "solver".
        seed: with the number of the member, the seed of its forecasts.
        members: ensemble members of a stochastic surrogate; a surrogate that does not declare itself `stochastic`,
            a baseline and a solver make one. Stored forecasts have as many as are stored, but no more than these.
        device: device of the forecasts.
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
        # a rollout goes on from frames that no constraint has changed
        self.free = model.unconstrained
        self.members = members if kind == "surrogate" and model.stochastic else 1
        self.marches = model.simulator is not None  # from a state of its own, on its own grid
        # solved as a whole, sample by sample: a batch costs as much as its samples alone
        self.one_by_one = model.simulator is not None and not model.simulator.steps
        self.measured = not isinstance(model, StoredForecasts)  # made elsewhere: reading them is not what they cost
        if not self.measured:
            self.members = min(members, model.members)
        self.generators = [torch.Generator().manual_seed(derived_seed(seed, m)) for m in range(self.members)]
        self.history = model.window[0]
        self.parameters = model.n_parameters
        self.timings: list[Timing] = []
        self.peak_bytes = 0

    @property
    def precision(self) -> str:
        """Of its parameters, or of a solver's state; "" if it has neither."""
        if self.marches:
            return self.model.precision
        found = {p.dtype for p in self.model.parameters()}
        return ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in found))

    @property
    def compiled(self) -> bool:
        """True if a part of the model was compiled with torch.compile."""
        return any(type(part).__name__ == "OptimizedModule" for part in self.model.modules())

    def stretch(self, size: int) -> int:
        """Frames of one call: as many as a whole-trajectory model was made for, blocks of ``size`` otherwise."""
        target = self.free.window[1]
        if target == "all":
            return max(1, self.model.problem.n_frames - self.history)
        if self.marches or isinstance(self.free, Stepper) or self.kind != "surrogate":
            return size
        return int(target)

    def warm_up(self, given: Trajectory, t: Tensor, forcing: Forcing = unforced) -> None:
        """Short forecasts that leave no timing: the first call compiles, plans and fills caches.

        One more frame of one sample shows how much memory a forecast takes. Nothing is made of stored forecasts.
        """
        if not self.measured:
            return
        kept = list(self.timings)
        next(self.forecast(given, t[:, :1], forcing, 1))
        one = slice(0, 1)

        def alone(frames: slice) -> Tensor | None:
            whole = forcing(frames)
            return None if whole is None else whole[one]

        self.peak_bytes = peak_bytes(lambda: next(self.forecast(given.samples(one), t[one, :1], alone, 1)), self.device)
        self.timings = kept

    def seconds_per_forecast(self, size: int) -> float:
        """Median seconds of one member of one sample, over the forecasts that were made of ``size`` samples together.

        Batches of another size (the last one, if samples are left over) are not counted. NaN of stored forecasts.
        """
        if not self.measured:
            return float("nan")
        return float(np.median([timing.seconds for timing in self.timings if timing.samples == size]))

    def seconds_with(self, size: int, given: Trajectory, t: Tensor, forcing: Forcing = unforced) -> float:
        """Seconds of one forecast of t when ``size`` are made together; samples are repeated if there are fewer.

        Of a long forecast only the beginning is made: m of its N stretches (frames, for a stepper), and one alone. All
        further ones cost the same, so that it takes T(m) + (N - m) (T(m) - T(1)) / (m - 1). Each T is the median of
        `REPEATS`, or of fewer that took `LONG` together. A solver that takes the samples of a batch one by one is timed
        with one. NaN of stored forecasts.
        """
        if not self.measured:
            return float("nan")
        size = 1 if self.one_by_one else size
        which = torch.arange(size) % len(given)
        several, block = given.samples(which), block_size(self.model.problem, size)
        stretch = self.stretch(1)
        total = -(-t.shape[1] // stretch)
        timed = min(total, 2 if stretch > 1 else max(2, TIMED_FRAMES // size))

        def together(frames: slice) -> Tensor | None:
            whole = forcing(frames)
            return None if whole is None else whole[which]

        def seconds(n: int) -> float:
            kept, self.timings = self.timings, []
            while len(self.timings) < REPEATS and sum(one.seconds * one.samples for one in self.timings) < LONG:
                for _ in self.forecast(several, t[which, : n * stretch], together, block):
                    pass
            found, self.timings = self.timings, kept
            return float(np.median([timing.seconds for timing in found]))

        beginning = seconds(timed)
        if timed == total:
            return beginning
        return beginning + (total - timed) * max(0.0, beginning - seconds(1)) / (timed - 1)

    def forecast(
        self, given: Trajectory, t: Tensor, forcing: Forcing = unforced, size: int | None = None
    ) -> Iterator[list[Tensor]]:
        """The forecast block after block, each as "batch time channel *space" for each member.

        Args:
            given: known data; the model gets its last ``history`` frames.
            t: absolute times wanted.
            forcing: known frames of the forcing.
            size: frames of a block, the last one may be shorter; all of t if None.
        """
        n = t.shape[1]
        size = size or n
        given, t, cost = given.to(self.device), t.to(self.device), _Cost()
        streams = [self._timed(self._stretches(given, t, forcing, size, m), cost) for m in range(self.members)]
        held: list[Tensor] = []
        for start in range(0, n, size):
            wanted = min(size, n - start)
            while not held or held[0].shape[1] < wanted:  # whole-trajectory models make their own number of frames
                more = [next(stream) for stream in streams]
                held = [torch.cat(pair, 1) for pair in zip(held, more, strict=True)] if held else more
            block, held = [u[:, :wanted] for u in held], [u[:, wanted:] for u in held]
            if start + wanted == n:  # before the last block, which needs no state after it
                self.timings.append(
                    Timing(len(given), cost.seconds / (len(given) * self.members), cost.calls // self.members)
                )
            yield block

    def _stretches(self, given: Trajectory, t: Tensor, forcing: Forcing, size: int, member: int) -> Iterator[Tensor]:
        """One member's frames, as many at once as the model makes."""
        if not self.measured:
            yield from self.model.replay(member, given.index.tolist(), t, size)
            return
        began = state = _last(given, self.history)
        stretch, generator = self.stretch(size), self.generators[member]
        if self.marches:  # never stopped: its own grid and precision know more
            yield from self.model.march(state, t, stretch)
            return
        for start in range(0, t.shape[1], stretch):
            times = t[:, start : start + stretch]
            first, stop = given.u.shape[1] - self.history + start, given.u.shape[1] + start + times.shape[1]
            known = dataclasses.replace(state, forcing=_on(forcing(slice(first, stop)), self.device))
            with torch.no_grad():
                u = self.free.forecast(known, times, members=1, generator=generator)
            expected = (1, *times.shape, self.model.problem.n_channels, *given.u.shape[3:])
            if tuple(u.shape) != expected:
                raise ValueError(
                    f"expected a forecast of shape {expected} (member batch time channel *space), got {tuple(u.shape)} "
                    f"from {self.name}; correct its forecast()"
                )
            yield self.model.within(u, began)[0]
            state = self._advance(state, u[0], times)

    def _timed(self, frames: Iterator[Tensor], cost: _Cost) -> Iterator[Tensor]:
        """The same frames; the time that they took and the network calls are added to the cost."""

        def add_one(module, inputs, output):
            cost.calls += 1

        nets = list(nets_of(self.model))
        while True:
            hooks = [net.register_forward_hook(add_one) for net in nets]
            try:
                _synchronise(self.device)
                begin = time.perf_counter()
                u = next(frames, None)
                _synchronise(self.device)
                cost.seconds += time.perf_counter() - begin
            finally:
                for hook in hooks:
                    hook.remove()
            if u is None:
                return
            yield u

    def _advance(self, state: Trajectory, u: Tensor, t: Tensor) -> Trajectory:
        if not self.history:
            return state
        u = torch.cat([state.u, u.to(state.u)], dim=1)[:, -self.history :]
        return dataclasses.replace(state, u=u, t=torch.cat([state.t, t.to(state.t)], dim=1)[:, -self.history :])


@dataclasses.dataclass
class _Cost:
    seconds: float = 0.0
    calls: int = 0


def _on(values: Tensor | None, device: torch.device) -> Tensor | None:
    return None if values is None else values.to(device)


def _last(given: Trajectory, history: int) -> Trajectory:
    n = given.u.shape[1]
    return given.frames(slice(n - history, n))


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
