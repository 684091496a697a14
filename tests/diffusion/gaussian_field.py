"""A periodic Gaussian field with the exact denoiser and the exact posterior of any linear observation."""

import torch

from pdekit.diffusion.observations import LinearOperator, Observation

N = 64
WAVES = torch.fft.fftfreq(N, 1 / N).double()
SPECTRUM = (1 + (WAVES / 3) ** 2) ** -2.5
SPECTRUM = SPECTRUM / SPECTRUM.mean()  # variance one at each point
COVARIANCE = torch.stack([torch.fft.ifft(SPECTRUM).real.roll(i) for i in range(N)])


def denoise(y, k):
    """E[x | y] of fields "batch 1 point"."""
    return torch.fft.ifft(SPECTRUM / (SPECTRUM + k**2) * torch.fft.fft(y)).real


def draws(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def fields(n, seed=0):
    return torch.fft.ifft(SPECTRUM.sqrt() * torch.fft.fft(draws(n, 1, N, seed=seed))).real


def matrix(operator: LinearOperator):
    """A as a matrix "value point"."""
    return operator.forward(torch.eye(N, dtype=torch.float64)[:, None]).flatten(1).T


def posterior(observation: Observation, mean, covariance):
    """(mean, covariance) of a Gaussian after the observation of one sample."""
    a = matrix(observation.operator)
    gain = covariance @ a.T @ torch.linalg.inv(a @ covariance @ a.T + observation.variance * torch.eye(len(a)).double())
    return mean + gain @ (observation.values.flatten() - a @ mean), covariance - gain @ a @ covariance
