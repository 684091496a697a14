"""Autoencoder of trajectories: u -> z -> u, the space in which latent diffusion works (`pdekit.models.text2pde`).

Source: Zhou et al. (2025), "Text2PDE" (ICLR), https://arxiv.org/abs/2410.01153; Rombach et al. (2022).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.fields import Problem, Trajectory
from pdekit.models.base import Surrogate, mean_square
from pdekit.models.bounding_box import BoundingBox
from pdekit.models.inputs import Preparation, checked_inputs, normalised
from pdekit.models.normaliser import Normaliser
from pdekit.models.sharpness import gradient_error, spectrum_error
from pdekit.nets.point_autoencoder import PointAutoencoder

LOG_VARIANCE = (-30.0, 20.0)  # beyond which exp() of it is nothing or overflows


class Autoencoder(Surrogate):
    """Compresses whole trajectories, and makes no forecast. The loss is

        mean (D(z) - u)^2 + kl KL(q(z | u) || N(0, 1)) + gradient G + spectral S

    in normalised units. With ``kl`` the encoder returns mean and log variance, training samples z = mean + exp(log
    variance / 2) e, and the mean is used otherwise. Without it z is deterministic. G and S are `gradient_error` and
    `spectrum_error`, which penalise lost small scales.

    Differences from the paper: squares instead of absolute values; no adversarial term, which the released
    checkpoints do not use either (`AdversarialAutoencoder` has one); factored convolutions; parameters do not enter.

    Args:
        problem: in time, on a uniform grid with one to three axes, or on points.
        net: factory of an autoencoder of grids (`pdekit.nets.grid_autoencoder`), called with ndim, channels, layout and
            moments.
        kl: weight of the divergence per latent value; 0 for a deterministic encoder.
        gradient: weight of G.
        spectral: weight of S.
        frames: only so many frames from the beginning of a trajectory are learnt and compressed at once; None for all.
        mesh_grid: points of each axis of the grid onto which points of a mesh are averaged before ``net``, see
            `PointAutoencoder`; None takes about as many as there are points.
        inputs: the way in which fields are normalised; by mean and standard deviation if None.

    Raises:
        ValueError: on a steady problem, one without a grid or space, a negative weight, a number of frames that a
            trajectory does not have, or a grid that the net refuses.
    """

    configurable = True
    forecasts = False

    def __init__(
        self,
        problem: Problem,
        net: Callable[..., nn.Module],
        kl: float = 1e-5,
        gradient: float = 0.0,
        spectral: float = 0.0,
        frames: int | None = None,
        mesh_grid: Sequence[int] | None = None,
        inputs: Preparation | None = None,
    ):
        check_trajectories(problem)
        if frames is not None and not 1 <= frames <= problem.n_frames:
            raise ValueError(
                f"expected frames from 1 to {problem.n_frames}, those of a trajectory, or null, got {frames}; correct "
                "the frames of the autoencoder"
            )
        if min(kl, gradient, spectral) < 0:
            raise ValueError(
                f"expected weights kl, gradient and spectral >= 0, got {kl}, {gradient}, {spectral}; 0 leaves one out"
            )
        inputs = checked_inputs(problem, inputs)
        if inputs.distance:
            raise ValueError(
                "expected distance=false for an autoencoder, which sees the fields alone, got true; leave out "
                "inputs.distance"
            )
        super().__init__(problem, (0, "all"))
        self.kl, self.gradient, self.spectral = kl, gradient, spectral
        self.frames = frames
        self.normaliser = Normaliser(problem, inputs.normalisation)
        self.box = None if problem.grid.uniform else BoundingBox(problem.ndim)
        if problem.grid.uniform:
            self.net = net(ndim=problem.ndim, channels=problem.n_channels, layout=problem.grid.layout, moments=kl > 0)
        else:
            check_terms_on_points(gradient, spectral)
            shape = mesh_grid or (max(2, round(problem.grid.max_points ** (1 / problem.ndim))),) * problem.ndim
            self.net = PointAutoencoder(problem.ndim, problem.n_channels, net, shape, moments=kl > 0)
        self.net.coarse(self.n_frames, problem.grid.shape)  # refuses a grid before data are made

    @property
    def n_frames(self) -> int:
        """Frames of a stored trajectory that are compressed at once."""
        return self.frames or self.problem.n_frames

    @property
    def compression(self) -> float:
        """Number of values of a trajectory for each latent value."""
        latent = torch.Size(self.net.coarse(self.n_frames, self.problem.grid.shape)).numel()
        values = torch.Size(self.problem.grid.shape).numel() * self.n_frames * self.problem.n_channels
        return values / (latent * self.net.latent_channels)

    @property
    def layout(self) -> tuple[str, ...]:
        """Layout of the axes of the latent grid."""
        return self.problem.grid.layout if self.problem.grid.uniform else self.net.layout

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        opening = (self.opening(batch) for batch in batches)
        self.normaliser.calibrate(opening if self.box is None else self.box.watched(opening))

    def opening(self, batch: Trajectory) -> Trajectory:
        """Return the frames that are learnt: the first ones."""
        return batch.frames(slice(self.frames))

    def places(self, batch: Trajectory) -> tuple[Tensor, ...]:
        """Return the points of a batch as shares of the box, and which of them exist; nothing on a grid."""
        if self.box is None:
            return ()
        if batch.points is None or batch.point_mask is None:
            raise ValueError("expected trajectories with points and point_mask, got none; give the mesh of each sample")
        points = self.box.shares(batch.points)
        return points, batch.point_mask.to(points.device)

    def encode(
        self, u: Float[Tensor, "batch time channel *space"], *places: Tensor
    ) -> Float[Tensor, "batch latent *coarse"]:
        """Return z of normalised frames: its mean, if the encoder returns a distribution. ``places`` see `places`."""
        z = self.net.encode(u, *places)
        return z.chunk(2, 1)[0] if self.kl else z

    def decode(self, z: Float[Tensor, "batch latent *coarse"], n_frames: int, *places: Tensor) -> Tensor:
        """Return so many normalised frames of z, at ``places`` on points."""
        return self.net.decode(z, n_frames, self.problem.grid.shape, *places)

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        loss, numbers, _, _ = self.terms(batch)
        return loss, numbers

    def terms(self, batch: Trajectory) -> tuple[Tensor, dict[str, Tensor], Tensor, Tensor]:
        """Return the loss, numbers to log, and normalised D(z) and u."""
        inner = normalised(self.opening(batch), self.normaliser)
        places = self.places(inner)
        z, divergence = self.net.encode(inner.u, *places), torch.zeros(())
        if self.kl:
            mean, log_variance = z.chunk(2, 1)
            log_variance = log_variance.clamp(*LOG_VARIANCE)
            z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean, memory_format=torch.contiguous_format)
            divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        u = self.decode(z, inner.u.shape[1], *places)
        error = mean_square(u - inner.u, None if inner.existing is None else inner.existing[:, None])
        numbers = {"error": error.detach()}
        loss = error + self.kl * divergence
        if self.kl:
            numbers["kl"] = divergence.detach()
        if self.gradient:
            numbers["gradient"] = gradient_error(u, inner.u)
            loss = loss + self.gradient * numbers["gradient"]
        if self.spectral:
            numbers["spectral"] = spectrum_error(u, inner.u)
            loss = loss + self.spectral * numbers["spectral"]
        logged = {"loss": loss.detach(), **{name: value.detach() for name, value in numbers.items()}}
        return loss, logged, u, inner.u

    @torch.no_grad()
    def reconstruct(self, batch: Trajectory) -> Float[Tensor, "batch time channel *space"]:
        """Return D(E(u)) of the frames of a batch, in physical units: so many at a time as are compressed at once."""
        inner = normalised(batch, self.normaliser)
        places = self.places(inner)
        blocks = inner.u.split(self.frames or inner.u.shape[1], 1)
        u = torch.cat([self.decode(self.encode(block, *places), block.shape[1], *places) for block in blocks], 1)
        return self.normaliser.decode(u.to(torch.promote_types(u.dtype, batch.u.dtype)))

    def attempt(self, batch: Trajectory, generator: torch.Generator) -> Float[Tensor, "batch time channel *space"]:
        return self.reconstruct(batch)

    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        """Not defined.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "expected a method that forecasts, got an autoencoder, which only compresses trajectories; use "
            "model.reconstruct(batch), or train model=text2pde requires.autoencoder=RUN"
        )


def check_terms_on_points(gradient: float, spectral: float) -> None:
    """Raises ValueError for terms of the loss that need a uniform grid."""
    if gradient or spectral:
        raise ValueError(
            f"expected gradient=0 and spectral=0 for a problem on points, got {gradient} and {spectral}: these terms "
            "need a uniform grid; set model.gradient=0 model.spectral=0"
        )


def check_trajectories(problem: Problem) -> None:
    """Raises ValueError on problems that have no trajectories in space."""
    if problem.ndim == 0:
        raise ValueError(
            f"expected a problem on a uniform grid with axes, or on points, got {problem.grid}; trajectories are "
            "compressed in space and time: use another model"
        )
    if problem.steady:
        raise ValueError(
            "expected a problem in time, got a steady one with a single frame; trajectories are compressed in space "
            "and time: use another model (model=wdno, fno)"
        )
