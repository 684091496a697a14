"""(J'J + mu I) p = -J' r,  x <- x + p: least squares with the Jacobian of every residual."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

MAX_PARAMETERS = 3000  # the normal equations then take 0.07 GB and some 10 GFlop a step
GROWTH, SHRINK = 4.0, 1 / 3.0  # of the damping after a refused and an accepted step
MAX_REFUSED = 12


class LevenbergMarquardt(Optimizer):
    """Minimises sum r^2 / n for few parameters in float64.

    The damping mu falls when a step lowers the loss and rises until one does.

    Args:
        parameters: at most 3000 numbers in float64.
        linearise: gives the residuals r "residual" and their Jacobian "residual parameter" at the present
            parameters, in the order and shape of `parameters`; sum r^2 is, up to a constant factor, the loss of
            the closure.
        iterations: number of iterations of one `step`.
        damping: mu at the start, as a share of the mean of the diagonal of J'J.

    Raises:
        ValueError: for parameters of another precision, or too many.

    Source: Levenberg (1944), Marquardt (1963).
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        linearise: Callable[[], tuple[Tensor, Tensor]],
        iterations: int = 10,
        damping: float = 1e-2,
    ):
        # a step is the learning rate times the damped one; 1 is right, schedulers expect the name
        super().__init__(parameters, {"lr": 1.0, "iterations": iterations, "damping": damping})
        self.linearise = linearise
        self.flat = [p for group in self.param_groups for p in group["params"]]
        n = sum(p.numel() for p in self.flat)
        if n > MAX_PARAMETERS or any(p.dtype != torch.float64 for p in self.flat):
            raise ValueError(
                f"expected at most {MAX_PARAMETERS} parameters in float64, found {n} in "
                f"{sorted({str(p.dtype) for p in self.flat})}; use a smaller net in double precision, or "
                "optimizer=self_scaled_broyden"
            )

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:
        """Some iterations; returns the loss before the first.

        Args:
            closure: computes the loss at the present parameters; its gradients are not used.
        """
        state, settings = self.state[self.flat[0]], self.param_groups[0]
        damping = state.get("damping", settings["damping"])
        first = value = float(torch.enable_grad()(closure)())
        for _ in range(settings["iterations"]):
            with torch.enable_grad():
                residual, jacobian = self.linearise()
            matrix, gradient = jacobian.mT @ jacobian, jacobian.mT @ residual
            unit = matrix.diagonal().mean()
            start = torch.cat([p.detach().reshape(-1) for p in self.flat])
            for _ in range(MAX_REFUSED):
                damped = matrix.clone()
                damped.diagonal().add_(damping * unit)
                factor, failed = torch.linalg.cholesky_ex(damped)
                if not failed:
                    change = torch.cholesky_solve(gradient[:, None], factor)[:, 0]
                    self._place(start - settings["lr"] * change)
                    trial = float(torch.enable_grad()(closure)())
                    if trial < value:
                        break
                damping = damping * GROWTH
            else:
                self._place(start)  # the minimum, to within rounding
                break
            value, damping = trial, max(damping * SHRINK, 1e-15)
        state["damping"] = damping
        return torch.as_tensor(first)

    def _place(self, x: Tensor) -> None:
        for p, part in zip(self.flat, x.split([p.numel() for p in self.flat]), strict=True):
            p.copy_(part.view_as(p))
