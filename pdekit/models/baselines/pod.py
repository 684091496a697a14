"""POD regression: u(a) = u_mean + sum_i b_i(z) w_i, z the coordinates of the input a in its own principal modes.

Modes of inputs and of outputs are those of the training split (proper orthogonal decomposition); the map from the ones
to the others is kernel ridge regression, whose kernel, length and ridge are the ones with the smallest error when each
training sample in turn is left out.

Source: Hesthaven and Ubbiali 2018 (doi:10.1016/j.jcp.2018.02.037) regress POD coefficients; Batlle, Darcy, Hosseini and
Owhadi 2024 (doi:10.1016/j.jcp.2023.112549) find kernels between principal components competitive with neural operators.
Here the kernel is chosen by leave-one-out errors instead of the likelihood.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Problem
from pdekit.models.baselines.steady import SteadyBaseline

LENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0)  # of the Matern kernel, in median distances of the training samples
RIDGES = tuple(10.0**n for n in range(-12, 1))  # shares of the kernel's mean diagonal


class PODRegression(SteadyBaseline):
    """Regression between principal components, linear or with a Matern-5/2 kernel as the training split decides.

    Args:
        problem: steady, on a uniform grid; see `SteadyBaseline`.
        n_modes: largest number of modes of inputs and of outputs; fewer if there are fewer samples.
        n_samples: training samples used, the first ones; the cost grows with their cube.

    Raises:
        ValueError: if the problem is another, or numbers are below one.
    """

    configurable = True

    def __init__(self, problem: Problem, n_modes: int = 64, n_samples: int = 1000):
        if n_modes < 1 or n_samples < 1:
            raise ValueError(f"expected n_modes, n_samples >= 1, got {n_modes}, {n_samples}; set positive numbers")
        sized = ("input_mean", "input_modes", "output_mean", "output_modes", "centres", "weights")
        super().__init__(problem, (*sized, "length"))
        self.n_modes, self.n_samples = n_modes, n_samples
        for name in self.sized:
            self.register_buffer(name, torch.zeros(0, dtype=torch.float64))

    def fit(self, inputs: Float[Tensor, "sample input"], outputs: Float[Tensor, "sample output"]) -> None:
        inputs, outputs = inputs[: self.n_samples], outputs[: self.n_samples]
        self.input_mean, self.input_modes = principal_modes(inputs, self.n_modes)
        self.output_mean, self.output_modes = principal_modes(outputs, self.n_modes)
        self.centres = (inputs - self.input_mean) @ self.input_modes
        wanted = (outputs - self.output_mean) @ self.output_modes
        median = torch.pdist(self.centres).median() if len(inputs) > 1 else torch.ones((), dtype=torch.float64)
        best = torch.inf
        for length in (0.0, *(share * float(median) for share in LENGTHS)):
            error, weights = leave_one_out(kernel(self.centres, self.centres, length), wanted)
            if error < best:
                best, self.weights = error, weights
                self.length = torch.tensor(length, dtype=torch.float64)

    def predict(self, inputs: Float[Tensor, "sample input"]) -> Float[Tensor, "sample output"]:
        z = (inputs - self.input_mean) @ self.input_modes
        return self.output_mean + kernel(z, self.centres, float(self.length)) @ self.weights @ self.output_modes.T


def principal_modes(values: Float[Tensor, "sample value"], n: int) -> tuple[Tensor, Tensor]:
    """(mean, orthonormal modes "value mode") of a set of vectors, the strongest n that are not rounding.

    >>> mean, modes = principal_modes(torch.tensor([[0.0, 1.0], [2.0, 1.0]], dtype=torch.float64), 2)
    >>> mean.tolist(), modes.abs().round(decimals=9).tolist()
    ([1.0, 1.0], [[1.0], [0.0]])
    """
    mean = values.mean(0)
    power, coordinates = torch.linalg.eigh((values - mean) @ (values - mean).T)  # of samples: fewer than values
    kept = (power > 1e-12 * power[-1:].clamp_min(1e-300)).nonzero().flatten().flip(0)[:n]
    return mean, (values - mean).T @ (coordinates[:, kept] / power[kept].sqrt())


def kernel(z: Float[Tensor, "sample mode"], centres: Float[Tensor, "centre mode"], length: float) -> Tensor:
    """Matern-5/2: (1 + r + r^2/3) exp(-r), r = sqrt(5) |z - z_j| / length; linear, 1 + z.z_j, for length 0."""
    if not length:
        return 1 + z @ centres.T
    r = 5**0.5 * torch.cdist(z, centres, compute_mode="donot_use_mm_for_euclid_dist") / length
    return (1 + r + r.square() / 3) * torch.exp(-r)


def leave_one_out(
    gram: Float[Tensor, "sample sample"], wanted: Float[Tensor, "sample output"]
) -> tuple[float, Float[Tensor, "sample output"]]:
    """(mean squared error of each sample predicted from the others, weights) for the best ridge.

    With A = (K + ridge)^-1 and weights W = A Y the error of sample i without itself is W_i / A_ii.
    """
    power, vectors = torch.linalg.eigh(gram)
    power, rotated = power.clamp_min(0), vectors.T @ wanted
    best, weights = torch.inf, torch.zeros_like(wanted)
    for ridge in RIDGES:
        inverse = 1 / (power + ridge * float(gram.diagonal().mean()))
        candidate = vectors @ (inverse[:, None] * rotated)
        error = float((candidate / (vectors.square() @ inverse)[:, None]).square().mean())
        if error < best:
            best, weights = error, candidate
    return best, weights
