"""One step by regression that also sees the first frame: u(t + dt) = u(t) + net(u(t), u(0), caption).

What drives a flow (inlets, obstacles, a force) can be read from its first frame long after it is hidden in the current
one, and from its caption. A rollout of these steps continues a generated first frame (`pdekit.models.text2pde`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pdekit.fields import Problem, Trajectory
from pdekit.models.base import Stepper, mean_square
from pdekit.models.inputs import Preparation, from_frame
from pdekit.models.stages import Stage
from pdekit.nets.condition import Condition
from pdekit.nets.text_encoder import TextEncoder


class AnchoredStep(Stepper):
    """A net that maps the current and the first frame to the next one; the change is in units of its deviation.

    Input channels: those of `InputChannels` for the current frame, then the first frame. The scalars that condition the
    net are a summary of the caption if the data have captions, else the parameters. Each training sample is a whole
    trajectory, of which one random frame and the ``unroll`` next ones are used. The loss is the mean square error of
    the changes in units of their deviation.

    Limits: the first frame is that of the forecast; trained are those at the beginning of trajectories.

    Args:
        problem: in time, on a uniform grid.
        net: factory of a grid net, called with layout, in_channels, out_channels and n_conditions.
        encoder: factory of a `TextEncoder`.
        summary: scalars that a caption is summarised in.
        unroll: most steps of the training loss, each from the forecast before it, with full gradients. Training begins
            with one and takes one more after each 1/unroll of its steps.
        inputs: the way in which fields become input channels.

    Raises:
        ValueError: on a steady problem, or one with fewer than ``unroll`` + 1 frames.
    """

    configurable = True

    def __init__(
        self,
        problem: Problem,
        net: Callable[..., nn.Module],
        encoder: Callable[[], TextEncoder] = TextEncoder,
        summary: int = 8,
        unroll: int = 1,
        inputs: Preparation | None = None,
    ):
        if problem.steady:
            raise ValueError(
                "expected a problem in time, got a steady one, which has no next frame; use another model (model=fno)"
            )
        if summary < 1 or not 1 <= unroll < problem.n_frames:
            raise ValueError(
                f"expected summary >= 1 and 1 <= unroll < {problem.n_frames}, the frames of a trajectory, got "
                f"{summary} and {unroll}; correct model.summary or model.unroll"
            )
        super().__init__(problem, 1, problem.n_frames - 1, inputs)
        self.unroll = unroll
        self.unrolled = 1
        self.caption = CaptionSummary(encoder(), summary) if problem.has_text else None
        self.net = net(
            layout=problem.grid.layout,
            in_channels=self.n_context + problem.n_channels,
            out_channels=problem.n_channels,
            n_conditions=summary if problem.has_text else self.n_params,
        )

    @property
    def calls_per_step(self) -> int:
        return 1

    def before_step(self, stage: Stage, step: int) -> None:
        self.unrolled = min(self.unroll, 1 + self.unroll * step // stage.steps)

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        captions: list[str] = []

        def noted() -> Iterator[Trajectory]:
            for batch in batches:
                captions.extend(batch.text or ())
                yield batch

        super().calibrate(noted())
        if self.caption is not None:
            self.caption.encoder.vocabulary.learn(captions)

    def step(
        self,
        frames: Float[Tensor, "batch time channel *space"],
        given: Trajectory,
        noise: Callable[[Tensor, int], Tensor] | None = None,
    ) -> Float[Tensor, "batch channel *space"]:
        return frames[:, -1] + self.change_scale(frames[:, -1]) * self.change(frames, given)

    def change(self, frames: Tensor, given: Trajectory) -> Float[Tensor, "batch channel *space"]:
        """Return the change to the next frame in units of its deviation; the first frame is ``given.u[:, 0]``."""
        condition = self.channels.condition(given)
        if self.caption is not None:
            condition = Condition(self.caption(given.text, len(given)))
        return self.net(torch.cat((self.context(frames, given), given.u[:, 0]), 1), condition)

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        first = torch.randint(batch.u.shape[1] - self.unrolled, (len(batch), 1))
        steps = torch.arange(self.unrolled + 1)
        batch = self.normalised(with_frames(batch, torch.cat((torch.zeros_like(first), first + steps), 1)))
        u, losses = batch.u[:, 1], []
        for n in range(1, self.unrolled + 1):
            u = u + self.change_scale(u) * self.change(u[:, None], from_frame(batch, n))
            losses.append(mean_square((u - batch.u[:, n + 1]) / self.change_scale(u), batch.mask))
        loss = torch.stack(losses).mean()
        return loss, {"loss": loss.detach()}


class CaptionSummary(nn.Module):
    """A few numbers from a caption: a linear map of the mean of its tokens.

    Args:
        encoder: of the caption.
        n: numbers.
    """

    def __init__(self, encoder: TextEncoder, n: int):
        super().__init__()
        self.encoder = encoder
        self.linear = nn.Linear(encoder.width, n)

    def forward(self, captions: Sequence[str] | None, n_samples: int) -> Float[Tensor, "batch number"]:
        """Return the numbers of each caption; those of an empty one are the offset of the map.

        Raises:
            ValueError: if there is no caption for each sample.
        """
        if captions is None or len(captions) != n_samples:
            found = "none" if captions is None else len(captions)
            raise ValueError(f"expected a caption for each of {n_samples} samples, got {found}; give Trajectory.text")
        tokens, mask = self.encoder(captions)
        return self.linear((tokens * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp_min(1))


def with_frames(batch: Trajectory, which: Int[Tensor, "batch frame"]) -> Trajectory:
    """Return the batch with frames of its own for each sample."""
    which = which.to(batch.u.device)
    rows = torch.arange(len(batch), device=which.device)[:, None]
    forcing = None if batch.forcing is None else batch.forcing[rows, which]
    return dataclasses.replace(batch, u=batch.u[rows, which], t=batch.t[rows, which], forcing=forcing)
