"""Settings of an inference: plain values, so that the entry point can check them without torch."""

from __future__ import annotations

from dataclasses import dataclass

from pdekit.typed_values import check_types

METHODS = ("mmps", "pigdm", "dps", "dds", "diffpir", "flowchef", "amortised", "kriging")


@dataclass
class Inference:
    """Settings of an inference.

    Args:
        observe: "solution", "coefficients", "all", or names of channels of the joint joined by "+".
        share: share of the points that are observed, the same random points of all observed channels.
        noise: standard deviation of the observations' error, as a share of each channel's deviation.
        method: one of `METHODS`, or several joined by "+".
        members: posterior samples.
        n_samples: test samples that are inferred.
        equation: weight of the equation's residual: 0 for none, or how many times the residual of the training data
            a sample may have. For steady problems and the methods that guide the prior.
        levels: levels of the sampler; 0 for those of the model.
        seed: of masks, errors and members.
        file: observations of your own, with columns for the coordinates and for the channels; null for test samples.
    """

    observe: str = "solution"
    share: float = 0.03
    noise: float = 0.01
    method: str = "mmps"
    members: int = 16
    n_samples: int = 4
    equation: float = 0.0
    levels: int = 0
    seed: int = 0
    file: str | None = None

    def __post_init__(self):
        check_types(self)
        unknown = [name for name in self.methods if name not in METHODS]
        if unknown or not self.methods:
            raise ValueError(f"expected methods among {', '.join(METHODS)}, got {self.method!r}; correct method=")
        if not 0 < self.share <= 1:
            raise ValueError(f"expected 0 < share <= 1, the share of observed points, got {self.share}; try share=0.03")
        if not self.noise > 0:
            raise ValueError(f"expected noise > 0, the error of the observations, got {self.noise}; try noise=0.01")
        if self.members < 2 or self.n_samples < 1 or self.levels < 0 or not self.equation >= 0:
            raise ValueError(
                f"expected members >= 2, n_samples >= 1, levels >= 0 and equation >= 0, got {self.members}, "
                f"{self.n_samples}, {self.levels}, {self.equation}; correct them"
            )

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods, one after another."""
        return tuple(name for name in str(self.method).split("+") if name)
