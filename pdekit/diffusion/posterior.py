"""Posterior denoisers: D(y, k) = E[x | y] becomes D_y = E[x | y, observation], exactly or roughly.

With an observation z = A x + N(0, s^2), res = z - A D and J = dD/dy, Cov[x | y] = k^2 J for every prior (Tweedie):

| class      | D_y                                                        | cost of a level           |
|------------|------------------------------------------------------------|---------------------------|
| `MMPS`     | D + k^2 J A^T (A k^2 J A^T + s^2)^-1 res                   | 1 call, 1 + n gradients   |
| `PiGDM`    | D + k^2 J A^T (r^2 A A^T + s^2)^-1 res, r^2 = k^2/(1 + k^2) | 1 call, 1 gradient        |
| `DPS`      | a step of length scale along J A^T res                     | 1 call, 1 gradient        |
| `DDS`      | argmin ‖x - D‖² + gamma ‖A x - z‖²                         | 1 call                    |
| `DiffPIR`  | argmin lam ‖x - D‖² / k² + ‖A x - z‖² / s²                 | 1 call                    |
| `FlowChef` | a step of length scale along A^T res                       | 1 call                    |

Only `MMPS` carries information to unobserved points by the covariance of the prior, and only it is exact for Gaussian
data. The others are the published alternatives to compare with. All of them take data of variance about one.

Limits: an observation error far below 1e-3 of the data's scale needs float64. Guided denoisers are not differentiable.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pdekit.diffusion.conjugate import solve_symmetric
from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.levels import Levels, checked_levels
from pdekit.diffusion.observations import Observation

INNER = 20  # iterations of conjugate gradients with operators that cost next to nothing


class Guide(ABC):
    """A way to condition a denoiser on an observation.

    Called with:
        denoise: D(y, k) of the prior.
        observation: of the sample, in the units of the denoiser.
        levels: on which the result will be sampled.

    Returns the denoiser D_y, which every sampler takes.
    """

    configurable: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, denoise: Denoise, observation: Observation, levels: Levels) -> Denoise: ...


@dataclass(frozen=True)
class MMPS(Guide):
    """Moment matching posterior sampling (Rozet et al. 2024): p(x | y) is taken as the Gaussian of its two moments.

    Exact at every level for a Gaussian prior when the linear system is solved. J is applied by gradients of the net,
    as if it were symmetric, which it is for the true D.

    Difference from the reference code (azula): the iterate of the smallest residual is taken, which may be the start,
    not the last one. Both agree once the system is solved; with one or two iterations samples differ by up to 3e-2 (six
    modes, three observed). With trained nets the iterate of the smallest energy, which is the last one of a symmetric
    system, more than doubled the error of the permeability of Darcy flow.

    Args:
        iterations: of conjugate gradients; each costs one gradient. With 3 to 5 the samples of a Gaussian field are
            close to converged (64 points, 8 observed).
    """

    configurable = True

    iterations: int = 5

    def __post_init__(self):
        if self.iterations < 1:
            raise ValueError(f"expected iterations >= 1, got {self.iterations}; choose 3 to 5")

    def __call__(self, denoise: Denoise, observation: Observation, levels: Levels) -> Denoise:
        operator = observation.operator

        def denoised(y: Tensor, k: float) -> Tensor:
            state, clean = _with_graph(denoise, y, k)

            def covariance(x: Tensor) -> Tensor:
                return k**2 * torch.autograd.grad(clean, state, x, retain_graph=True)[0]

            def apply(r: Tensor) -> Tensor:
                return operator.forward(covariance(operator.adjoint(r))) + observation.variance.to(r) * r

            plain = clean.detach()
            weight = solve_symmetric(apply, observation.residual(plain), self.iterations)
            return plain + covariance(operator.adjoint(weight))

        return denoised


@dataclass(frozen=True)
class PiGDM(Guide):
    """Pseudo-inverse guidance (Song et al. 2023): Cov[x | y] is k^2 J outside and r^2 = k^2 / (1 + k^2) inside.

    Right for data without correlations; A A^T is applied as it is, whether or not its rows are orthonormal.
    """

    configurable = True

    def __call__(self, denoise: Denoise, observation: Observation, levels: Levels) -> Denoise:
        operator = observation.operator

        def denoised(y: Tensor, k: float) -> Tensor:
            state, clean = _with_graph(denoise, y, k)
            share, variance = k**2 / (1 + k**2), observation.variance.to(y)
            weight = solve_symmetric(
                lambda r: share * operator.forward(operator.adjoint(r)) + variance * r,
                observation.residual(clean.detach()),
                INNER,
            )
            (pull,) = torch.autograd.grad(clean, state, operator.adjoint(weight))
            return clean.detach() + k**2 * pull

        return denoised


@dataclass(frozen=True)
class DPS(Guide):
    """Diffusion posterior sampling (Chung et al. 2023), the observation term of DiffusionPDE (Huang et al. 2024).

    After each step of the prior, y moves by scale J A^T res / ‖res‖. With Euler's rule, y' = D + (k'/k) (y - D), this
    is the change of D by scale / (1 - k'/k) times that vector, which is applied here. With another sampler the steps
    differ in length.

    Limits: takes no account of the observation's error; needs hundreds of levels.

    Args:
        scale: length of the step in units of the data.
    """

    configurable = True

    scale: float = 1.0

    def __call__(self, denoise: Denoise, observation: Observation, levels: Levels) -> Denoise:
        ks = checked_levels(levels)

        def denoised(y: Tensor, k: float) -> Tensor:
            state, clean = _with_graph(denoise, y, k)
            residual = observation.residual(clean.detach())
            (pull,) = torch.autograd.grad(clean, state, observation.operator.adjoint(residual))
            length = residual.flatten(1).norm(dim=1).reshape(-1, *[1] * (y.ndim - 1))
            return clean.detach() + self.scale * _per_step(ks, k) * pull / length.clamp_min(1e-30)

        return denoised


@dataclass(frozen=True)
class DDS(Guide):
    """Decomposed diffusion sampling (Chung et al. 2024): D is replaced by argmin ‖x - D‖² + gamma ‖A x - z‖².

    The paper samples with DDIM(eta=0.85). Limits: changes D only where A sees it.

    Args:
        gamma: weight of the observation.
        iterations: of conjugate gradients, without calls of the net.
    """

    configurable = True

    gamma: float = 5.0
    iterations: int = 5

    def __call__(self, denoise: Denoise, observation: Observation, levels: Levels) -> Denoise:
        def denoised(y: Tensor, k: float) -> Tensor:
            return _proximal(denoise(y, k), observation, self.gamma, self.iterations)

        return denoised


@dataclass(frozen=True)
class DiffPIR(Guide):
    """Half-quadratic splitting (Zhu et al. 2023): D is replaced by argmin lam ‖x - D‖² / k² + ‖A x - z‖² / s².

    Limits: as for `DDS`.

    Args:
        lam: weight of the prior.
    """

    configurable = True

    lam: float = 1.0

    def __call__(self, denoise: Denoise, observation: Observation, levels: Levels) -> Denoise:
        def denoised(y: Tensor, k: float) -> Tensor:
            weight = k**2 / (self.lam * observation.variance.to(y))
            return _proximal(denoise(y, k), observation, weight, INNER)

        return denoised


@dataclass(frozen=True)
class FlowChef(Guide):
    """Steering without gradients of the net (Patel et al. 2024): y moves by scale A^T res after each step.

    Applied as a change of D, as in `DPS`.

    Args:
        scale: share of the residual that is removed in a step.
    """

    configurable = True

    scale: float = 0.5

    def __call__(self, denoise: Denoise, observation: Observation, levels: Levels) -> Denoise:
        ks = checked_levels(levels)

        def denoised(y: Tensor, k: float) -> Tensor:
            clean = denoise(y, k)
            return clean + self.scale * _per_step(ks, k) * observation.operator.adjoint(observation.residual(clean))

        return denoised


def _with_graph(denoise: Denoise, y: Tensor, k: float) -> tuple[Tensor, Tensor]:
    """Return (y, D) with the graph between them, also where gradients are switched off."""
    with torch.enable_grad():
        state = y.detach().requires_grad_()
        return state, denoise(state, k)


def _proximal(clean: Tensor, observation: Observation, weight: Tensor | float, iterations: int) -> Tensor:
    """Return argmin ‖x - D‖² + ‖sqrt(weight) (A x - z)‖², starting from D."""
    operator = observation.operator
    change = solve_symmetric(
        lambda x: x + operator.adjoint(weight * operator.forward(x)),
        operator.adjoint(weight * observation.residual(clean)),
        iterations,
    )
    return clean + change


def _per_step(ks: list[float], k: float) -> float:
    """Return 1 / (1 - k'/k) with the next level k' below k, 0 after the last one."""
    return 1 / (1 - next((level for level in ks if level < k), 0.0) / k)
