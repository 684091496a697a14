"""Settings of a generative method: noise path, levels, sampler, and guidance without a classifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.diffusion.denoiser import NetDenoiser
from pdekit.diffusion.guidance import classifier_free
from pdekit.diffusion.levels import LogLevels
from pdekit.diffusion.parametrisations import VELOCITY, Parametrisation, V
from pdekit.diffusion.paths import CosinePath, FlowPath, Path
from pdekit.diffusion.samplers.base import Sampler
from pdekit.diffusion.samplers.exponential import Exponential

FORMS: dict[str, tuple[Path, Parametrisation]] = {"diffusion": (CosinePath(), V), "flow": (FlowPath(), VELOCITY)}
Net = Callable[[Tensor, Tensor], Tensor]
"""(z "batch ...", level "batch") -> output of the net."""


@dataclass(frozen=True)
class Generation:
    """Noise of the training and rule of the sampling.

    Args:
        path: "flow" (velocity e - x on the straight path) or "diffusion" (v on the variance-preserving path).
        levels: levels of training and sampling, in units of the data's rms.
        sampler: one of `pdekit.diffusion.samplers`.
        guidance: weight w of D_u + w (D_c - D_u), D_c with and D_u without the condition; 1 is D_c.
        dropout: share of the training samples that lose their condition; guidance needs some.

    Raises:
        ValueError: on an unknown path, a share that is none, or guidance of a net that is trained without dropout.
    """

    configurable = True

    path: str = "flow"
    levels: LogLevels = field(default_factory=lambda: LogLevels(20, 0.03, 40.0))
    sampler: Sampler = field(default_factory=lambda: Exponential("clean", 2))
    guidance: float = 1.0
    dropout: float = 0.1

    def __post_init__(self):
        if self.path not in FORMS:
            raise ValueError(f"expected a path among {tuple(FORMS)}, got {self.path!r}; set generation.path")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"expected 0 <= dropout < 1 (a share of the samples), got {self.dropout}; try 0.1")
        if self.guidance != 1 and not self.dropout:
            raise ValueError(
                f"expected dropout > 0 for guidance={self.guidance}, got 0: the net never sees samples without a "
                "condition; train with dropout=0.1 or set guidance=1"
            )

    def loss(self, net: Net, clean: Tensor) -> Float[Tensor, ""]:
        """Return the mean square error of a net's output at random levels, ln k uniform."""
        form, k = FORMS[self.path], self.levels.random(len(clean))
        shape = (-1,) + (1,) * (clean.ndim - 1)
        signal, sigma = (part.to(clean).reshape(shape) for part in (form[0].signal(k), form[0].sigma(k)))
        noise = torch.randn_like(clean, memory_format=torch.contiguous_format)
        wanted = form[1].output(clean, noise, signal, sigma)
        return (net(signal * clean + sigma * noise, self.levels.share(k).to(clean)) - wanted).square().mean()

    def sample(self, conditional: Net, unconditional: Net, draw: Callable[[int], Tensor]) -> Tensor:
        """Return a sample.

        Args:
            conditional, unconditional: the net with and without the condition; the second is called for guidance only.
            draw: unit normal numbers of the shape of the sample; number 0 is the start, the others are the sampler's.
        """

        def denoiser(net: Net) -> NetDenoiser:
            def output(z: Tensor, k: float) -> Tensor:
                level = self.levels.share(torch.full((len(z),), k, dtype=torch.float64))
                return net(z, level.to(z))

            return NetDenoiser(output, *FORMS[self.path])

        denoise = classifier_free(denoiser(conditional), denoiser(unconditional), self.guidance)
        start = self.levels.k_max * draw(0)
        return self.sampler(denoise, start, self.levels.grid(), lambda i: draw(i + 1))
