"""MeanFlow: the velocity of a flow, averaged from a time to the end, by an identity that needs no sample of the flow.

Source: Geng et al. (2025), "Mean flows for one-step generative modeling", https://arxiv.org/abs/2505.13447, with the
average to the end of the flow alone (r = 0), the velocity of a teacher, and a central difference along it instead of a
Jacobian-vector product.
"""

from __future__ import annotations

from torch import Tensor

from pdekit.diffusion.denoiser import Denoise

STEP = 5e-3  # of the central difference, in flow time


def mean_velocity(ends: Denoise, z: Tensor, t: float) -> Tensor:
    """Return u(z, t) = (z - x) / t of a map to the end x of the flow from y = z / (1 - t) at level t / (1 - t)."""
    return (z - ends(z / (1 - t), t / (1 - t))) / t


def mean_flow_error(ends: Denoise, teacher: Denoise, y: Tensor, k: float, step: float = STEP) -> Tensor:
    """Return u - (v - t du/dt), zero where u is the mean of the velocity from t to the end.

    In flow time t = k / (1 + k), z = (1 - t) y moves with v = (z - D) / t. Along it the end x = z - t u does not
    change, so that u = v - t du/dt; the derivative along (v, 1) is [u(z + h v, t + h) - u(z - h v, t - h)] / (2 h) and
    has no gradient.

    Args:
        ends: one-call map x(y, k) that is learnt.
        teacher: D of the flow.
        y: states at level k, of the marginal distribution there.
        k: level.
        step: h, shortened near t = 0 and t = 1; the error of the derivative is of second order in it.
    """
    t = k / (1 + k)
    h = min(step, 0.5 * t, 0.5 * (1 - t))
    z = (1 - t) * y
    v = mean_velocity(teacher, z, t).detach()
    slope = (mean_velocity(ends, z + h * v, t + h) - mean_velocity(ends, z - h * v, t - h)).detach() / (2 * h)
    return mean_velocity(ends, z, t) - (v - t * slope)
