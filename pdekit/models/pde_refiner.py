"""PDE-Refiner: a step is predicted, then refined K times by removing ever smaller noise.

Source: Lippe, Veeling, Perdikaris, Turner and Brandstetter (2023), "PDE-Refiner: Achieving Accurate Long Rollouts
with Neural PDE Solvers", section 3.1 and appendix C (variant ``paper``); the released code in pdearena (variant
``v_prediction``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pdekit.diffusion.chain import geometric_sigmas, refinement_chain
from pdekit.diffusion.denoiser import NetDenoiser
from pdekit.diffusion.parametrisations import EPSILON
from pdekit.diffusion.paths import ExplodingPath
from pdekit.diffusion.samplers.ancestral import ancestral
from pdekit.diffusion.samplers.renoise import renoise
from pdekit.fields import Problem, Trajectory
from pdekit.models.base import Stepper, mean_square
from pdekit.models.finest_noise import AUTO, FinestNoise
from pdekit.models.one_step import TARGETS
from pdekit.models.stages import Stage

VARIANTS = ("paper", "v_prediction")


class PDERefiner(Stepper):
    """One step by K + 1 calls of a net NO(estimate, context, level).

    With y the quantity to predict (the normalised change, in units of its standard deviation, or the state):

    ``paper``         train:  k ~ U{0 ... K};  k = 0: |NO(0, c, 0) - y|^2;  k > 0: |NO(y + s_k e, c, k) - e|^2
                      step:   y <- NO(0, c, 0);  for k = 1 ... K:  z = y + s_k e;  y <- z - s_k NO(z, c, k)
                      with s_k = sigma_min^(k/K).
    ``v_prediction``  train:  z = a_k y + s_k e;  |NO(z, c, k) - (a_k e - s_k y)|^2
                      step:   z ~ N(0, 1);  for k = 0 ... K:  y = a_k z - s_k NO(z, c, k);  z ~ q(z_{k+1} | z, y)
                      on the variance-preserving path whose increments are sigma_min^(2 k/K).

    The net sees the estimate as its first channels, then history, coeffs and mask, and k/K as its first condition.
    ``sigma_min="auto"`` takes the rms error of the net's own first prediction, measured while it trains, see
    `FinestNoise`. Noise below that error asks the last refinement for scales that the net does not resolve yet; noise
    above it is wasted accuracy.

    Differences from the released code: ``sigma_min`` is a standard deviation everywhere (``min_noise_std`` there is
    a variance), tables are taken in float64, levels count from coarse to fine in both variants, and the scale of the
    change is measured on the training split instead of set by hand.

    Limits: K + 1 times the cost of one step; for K of 8 and more the two variants differ noticeably, because the
    ancestral step keeps a share (15 % at K = 8) of the previous estimate's noise.

    Args:
        problem: problem to forecast.
        net: factory of a grid net, called with layout, in_channels, out_channels and n_conditions.
        n_refinements: K; 0 is plain regression.
        sigma_min: standard deviation of the finest noise, in units of y; or "auto".
        variant: "paper" or "v_prediction".
        history: frames that a step sees.
        target: "change" or "state".
        level_weights: weight of the squared error at each level 0 ... K, divided by their mean; None for equal weights.

    Raises:
        ValueError: on an unknown variant or target, a sigma_min that is no share, or weights that are not
            K + 1 positive numbers.
    """

    configurable = True

    def __init__(
        self,
        problem: Problem,
        net: Callable[..., nn.Module],
        n_refinements: int = 3,
        sigma_min: float | str = 4e-7**0.5,
        variant: str = "paper",
        history: int = 1,
        target: str = "change",
        level_weights: Sequence[float] | None = None,
    ):
        if variant not in VARIANTS:
            raise ValueError(f"expected a variant among {VARIANTS}, got {variant!r}; set model.variant")
        if target not in TARGETS:
            raise ValueError(f"expected a target among {TARGETS}, got {target!r}; set model.target")
        super().__init__(problem, history, 1)
        self.stochastic = n_refinements > 0 or variant == "v_prediction"
        self.variant = variant
        self.change = target == "change" and not problem.steady
        self.n_refinements = n_refinements
        self.level_weights = checked_weights(level_weights, n_refinements + 1)
        self.finest = FinestNoise() if sigma_min == AUTO else None
        self.set_levels(sigma_min if self.finest is None else self.finest.value)
        self.register_load_state_dict_post_hook(lambda module, keys: module._take_measured())
        self.net = net(
            layout=problem.grid.layout,
            in_channels=problem.n_channels + self.n_context,
            out_channels=problem.n_channels,
            n_conditions=1 + self.n_params,
        )

    @property
    def calls_per_step(self) -> int:
        return self.n_refinements + 1

    @property
    def unit(self) -> str:
        """Name of the quantity y."""
        return "the change" if self.change else "the state"

    def set_levels(self, sigma_min: float | str) -> None:
        """Compute the noise of all levels from that of the finest one.

        Raises:
            ValueError: if it is no number between 0 and 1.
        """
        if isinstance(sigma_min, str):
            raise ValueError(f"expected sigma_min as a number or {AUTO!r}, got {sigma_min!r}; set model.sigma_min=auto")
        self.sigmas = geometric_sigmas(self.n_refinements, sigma_min)
        self.chain = refinement_chain(self.n_refinements, sigma_min)

    def before_step(self, stage: Stage, step: int) -> None:
        if self.finest is not None:
            self.finest.before_step(step / stage.steps)
            self._take_measured()

    def _take_measured(self) -> None:
        if self.finest is not None:
            self.set_levels(self.finest.value)

    def findings(self) -> Sequence[str]:
        if self.finest is None:
            return ()
        return (f"sigma_min = {self.finest.value:.3g} of the standard deviation of {self.unit}, measured in training",)

    def call(
        self,
        estimate: Float[Tensor, "batch channel *space"],
        context: Float[Tensor, "batch context *space"],
        level: Int[Tensor, "batch"],
        given: Trajectory,
    ) -> Float[Tensor, "batch channel *space"]:
        """Return NO(estimate, context, level), with the normalised params of ``given`` as further conditions."""
        condition = self.channels.condition(given, level.to(estimate) / max(self.n_refinements, 1))
        return self.net(torch.cat((estimate, context), 1), condition)

    def scale(self, like: Tensor) -> Tensor:
        """Standard deviation of the normalised change for each channel (1 if the state is predicted)."""
        scale = self.change_scale(like)
        return scale if self.change else torch.ones_like(scale)

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        batch = self.normalised(batch)
        frames, clean = batch.u[:, : self.history], batch.u[:, self.history]
        if self.change:
            clean = clean - frames[:, -1]
        clean = clean / self.scale(clean)
        level = torch.randint(0, self.n_refinements + 1, (len(batch),), device=clean.device)
        noise = torch.randn_like(clean, memory_format=torch.contiguous_format)
        noisy, wanted = self.noised(clean, noise, level)
        error = self.call(noisy, self.context(frames, batch), level, batch) - wanted
        if self.finest is not None and self.training:
            first = level == 0  # in both variants the error of the first call is that of its prediction of y
            mask = None if batch.mask is None else batch.mask[first]
            self.finest.observe(mean_square(error.detach()[first], mask), int(first.sum()))
        if self.level_weights is not None:
            weight = self.level_weights.to(error)[level]
            error = weight.sqrt().reshape((-1,) + (1,) * (error.ndim - 1)) * error
        loss = mean_square(error, batch.mask)
        return loss, {"loss": loss.detach()}

    def noised(self, clean: Tensor, noise: Tensor, level: Int[Tensor, "batch"]) -> tuple[Tensor, Tensor]:
        """(what the net is given at these levels, what it shall return)."""
        if self.variant == "v_prediction":
            return self.chain.noisy(clean, noise, level), self.chain.velocity(clean, noise, level)
        shape = (-1,) + (1,) * (clean.ndim - 1)
        sigma = self.sigmas.to(clean)[level].reshape(shape)
        first = (level == 0).reshape(shape)
        return torch.where(first, 0.0, clean + sigma * noise), torch.where(first, clean, noise)

    def step(
        self,
        frames: Float[Tensor, "batch time channel *space"],
        given: Trajectory,
        noise: Callable[[Tensor, int], Tensor],
    ) -> Float[Tensor, "batch channel *space"]:
        context = self.context(frames, given)
        like = context.new_empty(context.shape[0], self.problem.n_channels, *context.shape[2:])

        def call(estimate: Tensor, k: int) -> Tensor:
            level = torch.full((len(estimate),), k, device=estimate.device)
            return self.call(estimate, context, level, given)

        def draws(k: int) -> Tensor:
            return noise(like, k)

        velocity = self.variant == "v_prediction"
        zeros = torch.zeros_like(like)
        clean = self.refine_velocity(call, draws) if velocity else self.refine_noise(call, draws, zeros)
        clean = clean * self.scale(like)
        return frames[:, -1] + clean if self.change else clean

    def refine_noise(
        self, call: Callable[[Tensor, int], Tensor], noise: Callable[[int], Tensor], zeros: Tensor
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the paper's loop: a prediction, then noise and denoise at each level."""
        sigmas = self.sigmas[1:].tolist()
        index = {sigma: k + 1 for k, sigma in enumerate(sigmas)}
        denoise = NetDenoiser(lambda noisy, sigma: call(noisy, index[sigma]), ExplodingPath(), EPSILON)
        return renoise(denoise, call(zeros, 0), self.sigmas[1:], lambda i: noise(i + 1))

    def refine_velocity(
        self, call: Callable[[Tensor, int], Tensor], noise: Callable[[int], Tensor]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the released code's loop: the reverse chain from pure noise."""

        def denoise(noisy: Tensor, k: int) -> Tensor:
            level = torch.full((len(noisy),), k, device=noisy.device)
            return self.chain.clean_from_velocity(noisy, call(noisy, k), level)

        return ancestral(self.chain, denoise, noise)


def checked_weights(weights: Sequence[float] | None, n_levels: int) -> Float[Tensor, "level"] | None:
    """Return weights of mean one.

    Raises:
        ValueError: if there is not a positive one for each level.

    >>> checked_weights((3.0, 1.0), 2).tolist()
    [1.5, 0.5]
    """
    if weights is None:
        return None
    if len(weights) != n_levels or not all(0 < weight < math.inf for weight in weights):
        raise ValueError(
            f"expected {n_levels} positive weights, one for each level from the prediction to the finest noise, got "
            f"{list(weights)}; correct model.level_weights"
        )
    values = torch.tensor([float(weight) for weight in weights], dtype=torch.float64)
    return values / values.mean()
