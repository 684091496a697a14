"""Best linear denoiser of training samples, and what is left of it for a net to learn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.levels import LogLevels
from pdekit.models.linear_posterior import GaussianModel, KnownValues

N_MODES = 128
PAIRS = 2048  # samples of which directions are taken
NUMBERS = 2**27  # of these samples together: 1 GB in float64, of which the decomposition needs several copies
LARGEST = 2**18  # numbers of one sample, of which NUMBERS still holds four times as many as there are directions
LARGEST_PAIRS = 4096  # numbers of one incomplete sample, whose covariance is a full matrix
SMALLEST = 1e-3  # of the scale of the target of a constant, in units of that of data of variance one


class LinearPrior(nn.Module):
    """D(y, k) = L(y, k) + s(k) out: a net learns what the best linear denoiser L of the training samples leaves.

    Samples with mean m have principal directions e_i of variance v_i; in what is left each channel c has the variance
    r_c in each direction. With the projection P onto what is left,

        L(y, k) = m + sum_i v_i / (v_i + k^2) e_i <e_i, y - m> + P r / (r + k^2) P (y - m),

    and s_c(k) is the rms of L - x in each channel, so that the target of the net has variance one in each channel and
    at each level. Without directions this is the preconditioning of Karras et al. (2022). For Gaussian data with as
    many directions as they have, a net that returns zero is the exact denoiser.

    L may also be given known values of x, see `pdekit.models.linear_posterior`; s stays that of no known values.

    The net sees y / sqrt(1 + k^2) and L. A convolutional net of few levels finds neither the large scales of a sample
    in strong noise nor smooth fields below it; both are linear.

    Buffers: ``mean``, ``modes`` (mode first), ``variance`` of the modes, ``rest`` of each channel.

    Limits: one grid, and at most `LARGEST` numbers in a sample; the weights hold 128 times as many. Directions that
    the samples do not have, or beyond the number of modes, are left to the net. The directions of few samples fit
    these better than others.

    Args:
        n_channels: of the samples.
        space: shape of the grid.
        n_modes: directions that are kept.

    Raises:
        ValueError: if a sample has more than `LARGEST` numbers.
    """

    def __init__(self, n_channels: int, space: Sequence[int], n_modes: int = N_MODES):
        super().__init__()
        shape = (n_channels, *space)
        if math.prod(shape) > LARGEST:
            raise ValueError(
                f"expected at most {LARGEST} numbers in a sample for the covariance of path=linear, got "
                f"{' x '.join(map(str, shape))} = {math.prod(shape)}; use a coarser grid or fewer frames, or set "
                "model.path=flow"
            )
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("modes", torch.zeros(n_modes, *shape))
        self.register_buffer("variance", torch.zeros(n_modes))
        self.register_buffer("rest", torch.ones(n_channels))

    @property
    def samples_wanted(self) -> int:
        """Number of samples for `calibrate`: `PAIRS`, or fewer where these would be more than `NUMBERS`."""
        return min(PAIRS, NUMBERS // self.mean.numel())

    def calibrate(self, samples: Float[Tensor, "sample channel *space"]) -> None:
        """Take mean, directions and variances of training samples.

        Raises:
            ValueError: if there are fewer than two.
        """
        if len(samples) < 2:
            raise ValueError(
                f"expected two or more training samples for the covariance of path=linear, got {len(samples)}; use "
                "more, or set model.path=flow"
            )
        flat = samples.flatten(1).double()
        anomalies = flat - flat.mean(0)
        _, singular, directions = torch.linalg.svd(anomalies, full_matrices=False)
        n = min(len(self.modes), len(singular))
        left = (anomalies - anomalies @ directions[:n].T @ directions[:n]).reshape(samples.shape)
        self.mean.copy_(flat.mean(0).reshape(self.mean.shape))
        self.modes.zero_()[:n] = directions[:n].reshape(-1, *self.mean.shape).to(self.modes)
        self.variance.zero_()[:n] = (singular[:n].square() / (len(samples) - 1)).to(self.variance)
        mean_square = left.square().transpose(0, 1).flatten(1).mean(1)
        self.rest.copy_(mean_square / self.share_left().to(mean_square).clamp_min(1 / left[0, 0].numel()))

    def calibrate_on_pairs(
        self, samples: Float[Tensor, "sample channel *space"], measured: Float[Tensor, "sample channel *space"]
    ) -> None:
        """Take mean and covariance of incomplete samples: of each pair of numbers, over the samples that have both.

        Pairs that are never measured together count as uncorrelated.

        Args:
            samples: training samples.
            measured: 1 where a value was measured.

        Raises:
            ValueError: if there are fewer than two samples, or more than `LARGEST_PAIRS` numbers in a sample.
        """
        if len(samples) < 2 or self.mean.numel() > LARGEST_PAIRS:
            raise ValueError(
                f"expected two or more incomplete samples of at most {LARGEST_PAIRS} numbers for a covariance, got "
                f"{len(samples)} of {self.mean.numel()}; use a coarser grid, or set model.path=flow"
            )
        there = measured.flatten(1).double()
        values = torch.where(there > 0, samples.flatten(1).double(), 0.0)
        mean = values.sum(0) / there.sum(0).clamp_min(1)
        anomalies = (values - mean) * there
        covariance = anomalies.T @ anomalies / (there.T @ there - 1).clamp_min(1)
        variance, directions = torch.linalg.eigh(covariance)
        n = min(len(self.modes), len(samples) - 1, len(variance))
        variance, directions = variance.flip(0)[:n].clamp_min(0), directions.T.flip(0)[:n]
        self.mean.copy_(mean.reshape(self.mean.shape))
        self.modes.zero_()[:n] = directions.reshape(-1, *self.mean.shape).to(self.modes)
        self.variance.zero_()[:n] = variance.to(self.variance)
        left = (covariance.diagonal() - variance @ directions.square()).reshape(self.mean.shape).flatten(1).mean(1)
        self.rest.copy_(left.clamp_min(0) / self.share_left().to(left).clamp_min(1 / self.mean[0].numel()))

    def share_left(self) -> Float[Tensor, "channel"]:
        """Return the share of the dimensions of each channel that the directions leave, in float64."""
        return (1 - self.modes.double().square().sum(0).flatten(1).mean(1)).clamp_min(0)

    def forward(
        self, y: Float[Tensor, "batch channel *space"], k: Float[Tensor, "batch"], known: KnownValues | None = None
    ) -> Float[Tensor, "batch channel *space"]:
        """Return L, in the precision of y also where a training computes in half precision: the net learns what L
        leaves, which at low noise is less than the rounding of such a product.
        """
        with torch.autocast(y.device.type, enabled=False):
            if known is None:
                return self._denoised(y, k)
            measured = None if known.measured is None else known.measured.flatten(1)
            flat = KnownValues(known.values.flatten(1), known.mask.flatten(1), measured)
            return self.gaussian().denoised(y.flatten(1), k, flat).reshape(y.shape).to(y)

    def gaussian(self) -> GaussianModel:
        """Return mean and covariance of the samples, in float64."""
        rest = self.rest.double().repeat_interleave(self.mean[0].numel())
        return GaussianModel(self.mean.double().flatten(), self.modes.double().flatten(1), self.variance.double(), rest)

    def _denoised(self, y: Tensor, k: Float[Tensor, "batch"]) -> Tensor:
        modes = self.modes.flatten(1).to(y)
        centred = (y - self.mean.to(y)).flatten(1)
        amplitudes = centred @ modes.T
        rest = (centred - amplitudes @ modes).reshape(y.shape) * _kept(self.rest.to(y), k, y.ndim - 2)
        rest = rest.flatten(1)
        rest = rest - (rest @ modes.T) @ modes
        return self.mean.to(y) + (amplitudes * _kept(self.variance.to(y), k, 0) @ modes + rest).reshape(y.shape)

    def scale(self, k: Float[Tensor, "batch"]) -> Float[Tensor, "batch channel *one"]:
        """Return s, the rms of L - x in each channel, in float64."""
        energy = self.modes.double().square().flatten(2).mean(2)  # "mode channel"
        of_modes = _lost(self.variance.double(), k, 0) @ energy
        of_rest = self.share_left() * _lost(self.rest.double(), k, 0)
        least = SMALLEST**2 * _lost(torch.ones_like(self.rest, dtype=torch.float64), k, 0)
        return torch.maximum(of_modes + of_rest, least).sqrt().reshape(*of_rest.shape, *[1] * (self.mean.ndim - 1))

    def noised(
        self, clean: Tensor, k: Float[Tensor, "batch"], known: KnownValues | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return what the net sees of samples at levels k, with new noise, and the output that it should have."""
        noise = torch.randn_like(clean, memory_format=torch.contiguous_format)
        y = clean + _over_space(k, clean.ndim - 1).to(clean) * noise
        shift = self(y, k, known)
        y = y if known is None or known.measured is None else y * known.measured
        return self.seen(y, shift, k), (clean - shift) / self.scale(k).to(clean)

    def denoiser(
        self, net: Callable[[Tensor, Tensor], Tensor], levels: LogLevels, known: KnownValues | None = None
    ) -> Denoise:
        """Return D(y, k) of a net that sees the level as a share of the range of ln k."""

        def denoised(y: Tensor, k: float) -> Tensor:
            level = torch.full((len(y),), k, dtype=torch.float64, device=y.device)
            shift = self(y, level, known)
            return shift + self.scale(level).to(y) * net(self.seen(y, shift, level), levels.share(level).to(y))

        return denoised

    @staticmethod
    def seen(y: Tensor, shift: Tensor, k: Float[Tensor, "batch"]) -> Float[Tensor, "batch both *space"]:
        """Return the channels that the net sees of y, given L of it."""
        return torch.cat((y / _over_space((1 + k.square()).sqrt(), y.ndim - 1).to(y), shift), 1)


def _over_space(k: Tensor, n_axes: int) -> Tensor:
    return k.reshape(-1, *[1] * n_axes)


def _kept(variance: Float[Tensor, "part"], k: Float[Tensor, "batch"], n_axes: int) -> Float[Tensor, "batch part *one"]:
    """Return v / (v + k^2)."""
    square = k.to(variance).square()[:, None]
    return (variance / (variance + square)).reshape(len(k), len(variance), *[1] * n_axes)


def _lost(variance: Float[Tensor, "part"], k: Float[Tensor, "batch"], n_axes: int) -> Float[Tensor, "batch part *one"]:
    """Return v k^2 / (v + k^2), the mean square that is left of a part."""
    return _kept(variance, k, n_axes) * _over_space(k.to(variance).square(), 1 + n_axes)
