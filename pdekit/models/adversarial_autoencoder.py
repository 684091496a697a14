"""Autoencoder of trajectories with an adversarial term, as in the paper of Text2PDE (https://arxiv.org/abs/2410.01153)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from pdekit.fields import Problem, Trajectory
from pdekit.models.autoencoder import Autoencoder
from pdekit.models.inputs import Preparation
from pdekit.models.stages import Optimisers, Stage, adam_stage
from pdekit.nets.critic import FrameCritic
from pdekit.settings import Training


class AdversarialAutoencoder(Autoencoder):
    """An `Autoencoder` and a critic C of patches, which are trained in turn, each with its own optimiser:

        autoencoder: mean (D(z) - u)^2 + kl KL - adversarial mean C(D(z))
        critic:      mean max(0, 1 - C(u)) + mean max(0, 1 + C(D(z)))

    Differences from the paper: the weight of the term is fixed, and it counts from the first step on. Limits: uniform
    grids only; ``training.clip`` and ``training.accumulate`` do not apply.

    Args:
        problem: in time, on a uniform grid with one to three axes.
        net: see `Autoencoder`.
        adversarial: weight of the critic's term, above 0.
        kl: weight of the divergence.
        frames: see `Autoencoder`.
        inputs: see `Autoencoder`.

    Raises:
        ValueError: on points, a weight that is not positive, and what `Autoencoder` refuses.
    """

    configurable = True

    def __init__(
        self,
        problem: Problem,
        net: Callable[..., nn.Module],
        adversarial: float = 0.1,
        kl: float = 1e-5,
        frames: int | None = None,
        inputs: Preparation | None = None,
    ):
        if adversarial <= 0 or not problem.grid.uniform:
            raise ValueError(
                f"expected adversarial > 0 and a problem on a uniform grid, got {adversarial} and {problem.grid}; use "
                "the Autoencoder without a critic"
            )
        super().__init__(problem, net, kl, frames=frames, inputs=inputs)
        self.adversarial = adversarial
        self.critic = FrameCritic([where == "periodic" for where in problem.grid.layout], problem.n_channels)

    def stages(self, settings: Training) -> Sequence[Stage]:
        stage = adam_stage(settings)

        def optimisers(_: Iterable[Tensor]) -> Sequence[torch.optim.Optimizer]:
            return [torch.optim.AdamW(part.parameters(), settings.lr) for part in (self.net, self.critic)]

        return (dataclasses.replace(stage, optimiser=optimisers, step=self.in_turn, name="adversarial"),)

    def in_turn(
        self, batch: Trajectory, optimisers: Optimisers, backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        """Take one step of the autoencoder, then one of the critic; return numbers to log."""
        loss, numbers, u, reference = self.terms(batch)
        judged = -self.critic(u).mean()
        optimisers[0].zero_grad()
        backward(loss + self.adversarial * judged)
        optimisers[0].step()
        hinge = (1 - self.critic(reference)).relu().mean() + (1 + self.critic(u.detach())).relu().mean()
        optimisers[1].zero_grad()  # of what the autoencoder's step left
        backward(hinge)
        optimisers[1].step()
        return {**numbers, "adversarial": judged.detach(), "critic": hinge.detach()}
