"""Few-step students of a trained generative method: pair distillation, a 2-rectified flow, and MeanFlow.

Sources: Liu, Gong and Liu (2023), "Flow straight and fast" (rectification), https://arxiv.org/abs/2209.03003; Liu et
al. (2024), "InstaFlow" (distillation of pairs), https://arxiv.org/abs/2309.06380.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.mean_flow import mean_flow_error
from pdekit.diffusion.samplers.straight import Straight
from pdekit.fields import Problem, Trajectory
from pdekit.models.base import Surrogate, mean_square
from pdekit.models.residual_diffusion import ResidualDiffusion
from pdekit.models.stages import Stage, adam_stage
from pdekit.models.wdno import WDNO
from pdekit.settings import Training

Teacher = WDNO | ResidualDiffusion


class Distilled(Surrogate):
    """A copy of a teacher that samples in one or a few calls of its net.

    For the noise e and what is known, the teacher's sampler gives one x(e), because it draws no noise. Each training
    step makes a batch of pairs (e, x), and the student, which begins as a copy of the teacher, learns one of

    - pairs: D(k_0 e, k_0) = x, k_0 the first level: the map of the teacher in one call;
    - rectified: D(y, k) = x on the straight lines y = x + k (e - x / k_0), from k_0 e to x, one k for each batch,
      even in flow time k / (1 + k): a flow whose lines cross less, for one call or more.

    ``mean_flow`` learns the map of one call without pairs, from the identity of `pdekit.diffusion.mean_flow`: x are the
    teacher's samples, y = x + k e with new noise, and k as above.

    The squared error is that of the net's output (of the mean velocity for ``mean_flow``). It is a regression of a
    function, not of a distribution: the student keeps the spread of the teacher.

    The teacher is required: it is trained first, or taken from ``requires.teacher=RUN``. A teacher that itself requires
    a run (`ResidualDiffusion`) must be taken from one.

    Difference from the papers: pairs are made as they are needed, and none is used twice, so that a training step costs
    the teacher's calls in addition; a resumed training needs no stored pairs.

    Limits: the student has the teacher's errors, and its own. The error of a member grows towards components that the
    teacher decides late, the small scales.

    Args:
        problem: problem to forecast.
        teacher: factory of a `WDNO` or a `ResidualDiffusion`, called with the problem; its sampler draws no noise.
        calls: calls of the student's net for a sample.
        rectified: whether it learns the straight flow instead of the one-call map; more calls than one need it.
        mean_flow: whether it learns the one-call map by MeanFlow instead of by pairs.

    Raises:
        ValueError: on another teacher, several calls of the one-call map, or both a rectified and a mean flow; in
            training, if its sampler draws noise.
    """

    configurable = True
    stochastic = True
    requires = ("teacher",)

    def __init__(
        self,
        problem: Problem,
        teacher: Callable[[Problem], Teacher],
        calls: int = 1,
        rectified: bool = False,
        mean_flow: bool = False,
    ):
        if rectified and mean_flow:
            raise ValueError("expected rectified or mean_flow, got both; set model.rectified=false")
        if calls != 1 and not rectified:
            raise ValueError(
                f"expected one call of a net that learns the map from noise to sample, got {calls}; set "
                "model.rectified=true"
            )
        made = teacher(problem)
        if not isinstance(made, Teacher):
            raise ValueError(
                f"expected a teacher that samples by a diffusion model (WDNO, ResidualDiffusion), got "
                f"{type(made).__name__}; set model.teacher"
            )
        super().__init__(problem, made.window)
        self.rectified, self.mean_flow = rectified, mean_flow
        self.teacher, self.student = made, teacher(problem)
        self.student.sampler = Straight(calls)

    @property
    def n_parameters(self) -> int:
        """Number of parameters of the student, which alone forecasts."""
        return self.student.n_parameters

    def stages(self, settings: Training) -> Sequence[Stage]:
        return (dataclasses.replace(adam_stage(settings), parameters=("student.net.",)),)

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        """Begin as the trained teacher, with its statistics."""
        self.teacher.requires_grad_(False)  # several processes wait for the gradients of all others
        self.student.load_state_dict(self.teacher.state_dict())

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        batch = batch.to(next(self.student.parameters()).device)
        with torch.no_grad():
            taught, like = self.teacher.conditional(batch)
            start = self.teacher.levels.k_max * torch.randn_like(like, memory_format=torch.contiguous_format)
            sample = self.teacher.sampler(taught, start, self.teacher.levels.grid(), no_draws_of_teacher)
        student = self.student.conditional(batch)[0]
        if self.mean_flow:
            k = self._level()
            y = sample + k * torch.randn_like(sample, memory_format=torch.contiguous_format)
            loss = mean_square(mean_flow_error(student, taught, y, k), None)
        else:
            loss = self.pair_loss(student, start, sample)
        return loss, {"loss": loss.detach()}

    def _level(self) -> float:
        """Draw one level of training, even in flow time k / (1 + k)."""
        t = float(torch.rand((), dtype=torch.float64)) * self.teacher.levels.k_max / (1 + self.teacher.levels.k_max)
        return max(t / (1 - t), self.teacher.levels.k_min)

    def pair_loss(self, denoise: Denoise, start: Tensor, sample: Tensor) -> Float[Tensor, ""]:
        """Return the mean square of the error of the net's output on pairs (y at the first level, x)."""
        k = first = self.teacher.levels.k_max
        if self.rectified:
            k = self._level()
        y = sample + k / first * (start - sample)
        level = torch.tensor(k, dtype=torch.float64)
        path = self.student.path
        gain = self.student.parametrisation.gain(path.signal(level), path.sigma(level))
        return mean_square((denoise(y, k) - sample) / float(gain), None)

    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        """Return the forecast of the student, see that of the teacher."""
        return self.student.forecast(given, t, members, generator)


def no_draws_of_teacher(i: int) -> Tensor:
    """The draws of a teacher's sampler.

    Raises:
        ValueError: if it makes one: a sample is then no function of the noise that it starts from.
    """
    raise ValueError(
        "expected a teacher whose sampler draws no noise, got one that does; set model.teacher.sampling.sampler "
        "(of residual diffusion: model.teacher.sampler) to pdekit.diffusion.samplers.exponential.Exponential, which a "
        "trained teacher takes, too"
    )
