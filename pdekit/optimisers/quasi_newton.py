"""Parts shared by dense quasi-Newton methods: a flat parameter vector, a line search, a stored inverse Hessian.

p = -H g,   x <- x + a p with a strong Wolfe step a,   H <- update(H, s = a p, y = change of g)
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

from pdekit.optimisers.line_search import Trial, strong_wolfe

Update = tuple[float, tuple[float, float, float]]
GROWTH = 1.2  # of the first trial of the line search, after it was accepted at once
MAX_PARAMETERS = 20_000  # the inverse Hessian then takes 3.2 GB


class QuasiNewton(Optimizer):
    """Minimises a deterministic function of few parameters in float64.

    One `step` makes `iterations` iterations on the function that the closure computes, which must stay the same
    during it; between steps it may change (new collocation points, other weights): the inverse Hessian is kept.
    The line search begins near the step that it found last: with self-scaling, one is nearly always too long (in 95 of
    100 searches), and an evaluation costs more than all else.
    The state can be saved and restored exactly.

    Args:
        parameters: at most 20 000 numbers in float64.
        iterations: number of iterations of one `step`.
        c1, c2: constants of the strong Wolfe conditions.
        max_evaluations: largest number of evaluations of the closure in one line search.

    Raises:
        ValueError: for parameters of another precision, or too many.

    Limits: memory and time of an iteration grow with the square of the number of parameters; no mini-batches.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        iterations: int = 100,
        c1: float = 1e-4,
        c2: float = 0.9,
        max_evaluations: int = 25,
    ):
        # the learning rate of a quasi-Newton method is the step that its line search tries first
        super().__init__(parameters, {"lr": 1.0, "iterations": iterations, "c1": c1, "c2": c2})
        self.max_evaluations = max_evaluations
        self.flat = [p for group in self.param_groups for p in group["params"]]
        self.n = sum(p.numel() for p in self.flat)
        if self.n > MAX_PARAMETERS:
            raise ValueError(
                f"expected at most {MAX_PARAMETERS} parameters, found {self.n}; their inverse Hessian would take "
                f"{self.n**2 * 8 / 1e9:.0f} GB: use a smaller net, or Adam"
            )
        wrong = {p.dtype for p in self.flat} - {torch.float64}
        if wrong:
            raise ValueError(
                f"expected parameters in float64, found {sorted(map(str, wrong))}; the differences of gradients that "
                "quasi-Newton updates need are lost to rounding in float32: call model.double()"
            )

    @abstractmethod
    def coefficients(self, r: float, q: float, b: float) -> Update:
        """The update of the inverse Hessian, H <- k H + U C U' with U = (s, H y).

        Args:
            r: 1 / (y . s), positive.
            q: y . H y.
            b: s . B s / (y . s) with B the inverse of H.

        Returns:
            k, and the symmetric C as (C_ss, C_sy, C_yy).
        """

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:
        """Some iterations; returns the loss before the first.

        Args:
            closure: clears the gradients, computes the loss and its gradients, returns the loss.
        """
        state, settings = self.state[self.flat[0]], self.param_groups[0]
        evaluate = self._evaluator(torch.enable_grad()(closure))
        x = self._position()
        value, gradient = evaluate(x)
        first, h_gradient = value, None
        for iteration in range(settings["iterations"]):
            inverse = state.get("inverse")
            if inverse is not None and h_gradient is None:
                h_gradient = inverse @ gradient
            direction = -gradient if inverse is None or h_gradient is None else -h_gradient
            slope = float(gradient @ direction)
            if not math.isfinite(slope) or slope >= 0:
                # rounding has spoilt H (or the function has changed much): start again from the gradient
                state.pop("inverse", None)
                inverse, direction = None, -gradient
                slope = float(gradient @ direction)
                if not slope < 0:
                    break
            length = state["length"] if inverse is not None else min(1.0, 1.0 / float(gradient.abs().sum()))
            found = strong_wolfe(
                lambda a, x=x, p=direction: evaluate(x + a * p),
                direction,
                Trial(0.0, value, slope, gradient),
                length,
                settings["c1"],
                settings["c2"],
                self.max_evaluations,
            )
            if found.step == 0:
                if inverse is None or iteration > 0:
                    break  # the minimum, to within rounding
                state.pop("inverse")  # made for another function
                h_gradient = None
                continue
            s, y = found.step * direction, found.gradient - gradient
            x, value, gradient, before = x + s, found.value, found.gradient, gradient
            ys = float(y @ s)
            h_gradient = None
            if inverse is None and ys > 0:
                state["inverse"] = torch.eye(self.n, dtype=x.dtype, device=x.device) * (ys / float(y @ y))
                state["length"] = settings["lr"]
            elif ys > 0:
                grown = GROWTH * found.step if found.step == length else found.step
                state["length"] = min(settings["lr"], grown)
                h_gradient = self._update(inverse, s, y, direction, gradient, -found.step * float(s @ before) / ys)
        self._place(x)
        return torch.as_tensor(first)

    def _update(self, inverse: Tensor, s: Tensor, y: Tensor, direction: Tensor, gradient: Tensor, b: float) -> Tensor:
        """Change H in place, for one product of H with a vector; returns H g for the new gradient g."""
        hg = inverse @ gradient
        hy = hg + direction  # H g - H g_before
        k, (ss, sy, yy) = self.coefficients(1 / float(y @ s), float(y @ hy), b)
        pair = torch.stack((s, hy), dim=1)
        left = pair @ pair.new_tensor([[ss, sy], [sy, yy]])
        inverse.addmm_(left, pair.mT, beta=k)
        return k * hg + left @ (pair.mT @ gradient)

    def _evaluator(self, closure: Callable[[], Tensor]) -> Callable[[Tensor], tuple[float, Tensor]]:
        def evaluate(x: Tensor) -> tuple[float, Tensor]:
            self._place(x)
            loss = float(closure())
            parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.flat]
            return loss, torch.cat([part.reshape(-1) for part in parts])

        return evaluate

    def _position(self) -> Tensor:
        return torch.cat([p.detach().reshape(-1) for p in self.flat])

    def _place(self, x: Tensor) -> None:
        for p, part in zip(self.flat, x.split([p.numel() for p in self.flat]), strict=True):
            p.copy_(part.view_as(p))
