"""Generative methods: noise path, levels, sampler, guidance without a classifier, and forecasts in blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pdekit.diffusion.denoiser import NetDenoiser
from pdekit.diffusion.guidance import classifier_free
from pdekit.diffusion.levels import LogLevels
from pdekit.diffusion.parametrisations import VELOCITY, Parametrisation, V
from pdekit.diffusion.paths import CosinePath, FlowPath, Path
from pdekit.diffusion.samplers.base import Sampler
from pdekit.diffusion.samplers.exponential import Exponential
from pdekit.diffusion.weights import cauchy

Form = tuple[Path, Parametrisation]
FORMS: dict[str, Form] = {"diffusion": (CosinePath(), V), "flow": (FlowPath(), VELOCITY)}
CAUCHY = (1e-6, 1e6)  # scales whose squares are numbers in float32
Net = Callable[[Tensor, Tensor], Tensor]
"""(z "batch ...", level "batch") -> output of the net."""


@dataclass(frozen=True)
class BlockSampling:
    """Rule of the sampling of blocks of frames.

    Args:
        sampler: one of `pdekit.diffusion.samplers`.
        fixed_noise: whether a member begins every block of a forecast from the same noise, at all times: with a sampler
            that draws none, the forecast is then a deterministic function of the frames given.
    """

    configurable = True

    sampler: Sampler = field(default_factory=lambda: Exponential("clean", 2))
    fixed_noise: bool = False


@dataclass(frozen=True)
class Generation:
    """Noise of the training and rule of the sampling.

    Args:
        path: "flow" (velocity e - x on the straight path) or "diffusion" (v on the variance-preserving path).
        levels: levels of training and sampling, in units of the data's rms.
        sampler: one of `pdekit.diffusion.samplers`.
        guidance: weight w of D_u + w (D_c - D_u), D_c with and D_u without the condition; 1 is D_c.
        dropout: share of the training samples that lose their condition; guidance needs some.
        cauchy: c of the Cauchy loss of the net's output, see `pdekit.diffusion.weights.cauchy`; 0 for the mean square.

    Raises:
        ValueError: on an unknown path, a share that is none, a c out of range, or guidance of a net that is trained
            without dropout.
    """

    configurable = True

    path: str = "flow"
    levels: LogLevels = field(default_factory=lambda: LogLevels(20, 0.03, 40.0))
    sampler: Sampler = field(default_factory=lambda: Exponential("clean", 2))
    guidance: float = 1.0
    dropout: float = 0.1
    cauchy: float = 0.0

    def __post_init__(self):
        if self.path not in FORMS:
            raise ValueError(f"expected a path among {tuple(FORMS)}, got {self.path!r}; set generation.path")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"expected 0 <= dropout < 1 (a share of the samples), got {self.dropout}; try 0.1")
        if self.cauchy and not CAUCHY[0] <= self.cauchy <= CAUCHY[1]:
            raise ValueError(
                f"expected cauchy of 0, or from {CAUCHY[0]:g} to {CAUCHY[1]:g}, the scale of the Cauchy loss, got "
                f"{self.cauchy}; try 1, or 0 for the mean square"
            )
        if self.guidance != 1 and not self.dropout:
            raise ValueError(
                f"expected dropout > 0 for guidance={self.guidance}, got 0: the net never sees samples without a "
                "condition; train with dropout=0.1 or set guidance=1"
            )

    def loss(self, net: Net, clean: Tensor) -> Float[Tensor, ""]:
        """Return the mean square error of a net's output, or its Cauchy loss, at random levels, ln k uniform."""
        k = self.levels.random(len(clean))
        z, wanted = noised(FORMS[self.path], clean, k)
        error = net(z, self.levels.share(k).to(clean)) - wanted
        return (cauchy(error, self.cauchy) if self.cauchy else error.square()).mean()

    def sample(self, conditional: Net, unconditional: Net, draw: Callable[[int], Tensor]) -> Tensor:
        """Return a sample.

        Args:
            conditional, unconditional: the net with and without the condition; the second is called for guidance only.
            draw: unit normal numbers of the shape of the sample; number 0 is the start, the others are the sampler's.
        """
        form, levels = FORMS[self.path], self.levels
        with_it, without = denoiser(conditional, form, levels), denoiser(unconditional, form, levels)
        denoise = classifier_free(with_it, without, self.guidance)
        start = self.levels.k_max * draw(0)
        return self.sampler(denoise, start, self.levels.grid(), lambda i: draw(i + 1))


def form_of(path: str) -> Form:
    """Return the noise path of a name, and what a net returns on it.

    Raises:
        ValueError: on an unknown name.
    """
    if path not in FORMS:
        raise ValueError(f"expected a path among {tuple(FORMS)}, got {path!r}; set model.path")
    return FORMS[path]


def noised(form: Form, clean: Tensor, k: Float[Tensor, "batch"]) -> tuple[Tensor, Tensor]:
    """Return z = signal x + sigma e at levels k, with new noise e, and the output that a net should have there."""
    path, parametrisation = form
    shape = (-1,) + (1,) * (clean.ndim - 1)
    signal, sigma = (part.to(clean).reshape(shape) for part in (path.signal(k), path.sigma(k)))
    noise = torch.randn_like(clean, memory_format=torch.contiguous_format)
    return signal * clean + sigma * noise, parametrisation.output(clean, noise, signal, sigma)


def denoiser(net: Net, form: Form, levels: LogLevels) -> NetDenoiser:
    """Return D(y, k) of a net that sees the level as a share of the range of ln k."""

    def output(z: Tensor, k: float) -> Tensor:
        return net(z, levels.share(torch.full((len(z),), k, dtype=torch.float64)).to(z))

    return NetDenoiser(output, *form)


def generated(
    frames: Float[Tensor, "batch time channel *space"],
    steps: Int[Tensor, "wanted"],
    block: Callable[[Tensor, int], Tensor],
) -> Float[Tensor, "batch wanted channel *space"]:
    """Return the frames that are ``steps`` after the given ones, made in blocks until the last one is there.

    Args:
        frames: the history.
        steps: increasing numbers of steps after its last frame.
        block: (the last frames, as many as the history has, and the number of frames made before) -> the next frames.
    """
    history = frames.shape[1]
    while (made := frames.shape[1] - history) < int(steps[-1]):
        frames = torch.cat((frames, block(frames[:, made : made + history], made)), 1)
    return frames[:, history:][:, (steps - 1).to(frames.device)]
