"""Normalisation: physical units outside a model, numbers of order one inside, (u - mean) / scale.

Statistics are taken once, on the training split, inside the mask, over batch, time and space. They are computed and
kept in float64 whatever the precision of the model: a mean of 1e5 in float32 is off by 4e-3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.fields import Field, Problem, Trajectory
from pdekit.models.quantiles import Quantiles

METHODS = ("deviation", "quantile", "log")
# A deviation below this share of the mean is a constant with rounding errors: of values that float32 holds exactly, and
# of values that need float64. Rounding to the nearest gives at most half the distance of neighbours, eps / 2.
CONSTANT = {torch.float32: 2 * torch.finfo(torch.float32).eps, torch.float64: 1e-12}
PARTS = ("coeffs", "params", "forcing")
EXACT = ("mean", "scale", *(f"{part}_{name}" for part in PARTS for name in ("mean", "scale")))


class Moments:
    """Streaming number, mean and centred sum of squares of each channel (Chan, Golub and LeVeque, 1983).

    >>> moments = Moments(1)
    >>> for part in ([0.0, 2.0], [4.0]):
    ...     moments.add(torch.tensor(part).reshape(-1, 1))
    >>> moments.mean.item(), round(moments.variance.item(), 12)
    (2.0, 2.666666666667)
    """

    def __init__(self, n_channels: int):
        self.count = torch.zeros(n_channels, dtype=torch.float64)
        self.mean = torch.zeros(n_channels, dtype=torch.float64)
        self.squares = torch.zeros(n_channels, dtype=torch.float64)
        self.single = torch.ones(n_channels, dtype=torch.bool)  # whether float32 holds all values exactly
        self.least = torch.zeros(n_channels, dtype=torch.float64)  # rounding of logarithms, whatever their size

    @property
    def variance(self) -> Tensor:
        return self.squares / self.count.clamp_min(1)

    @property
    def rounding(self) -> Tensor:
        """Largest deviation of each channel that rounding of its values explains."""
        return torch.maximum(self.share * (self.variance + self.mean.square()).sqrt(), self.least)

    @property
    def share(self) -> Tensor:
        """Share of a value of each channel that is rounding."""
        return torch.where(self.single, CONSTANT[torch.float32], CONSTANT[torch.float64]).double()

    def add(self, values: Float[Tensor, "batch channel *space"], mask: Tensor | None = None) -> None:
        """Add samples; where ``mask`` (broadcastable to values) is zero they do not count."""
        values = values.detach().to(torch.float64)
        weight = torch.ones_like(values) if mask is None else (mask > 0).to(values).expand_as(values)
        values = torch.where(weight > 0, values, 0.0)  # a NaN outside the mask is no value
        single = (values == values.float()).movedim(1, 0).flatten(1).all(1)
        self.single &= single.cpu()
        axes = [axis for axis in range(values.ndim) if axis != 1]
        shape = [1, -1] + [1] * (values.ndim - 2)
        count = weight.sum(axes).cpu()
        mean = (values.sum(axes).cpu() / count.clamp_min(1)).to(values.device)
        squares = (weight * (values - mean.reshape(shape)).square()).sum(axes).cpu()
        mean = mean.cpu()
        total = self.count + count
        delta = mean - self.mean
        share = count / total.clamp_min(1)
        self.squares = self.squares + squares + delta.square() * self.count * share
        self.mean = self.mean + delta * share
        self.count = total


def mean_and_deviation(moments: Moments, groups: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel; of a group of several, no mean and one root mean square.

    Removing a mean from the components of a vector would make them incomparable, and two scales would turn it.
    """
    mean, deviation = moments.mean.clone(), moments.variance.sqrt()
    for group in set(groups):
        members = [i for i, name in enumerate(groups) if name == group]
        if len(members) > 1:
            second = moments.variance[members] + moments.mean[members].square()
            count = moments.count[members]
            mean[members] = 0.0
            deviation[members] = ((second * count).sum() / count.sum().clamp_min(1)).sqrt()
    return mean, deviation


def mean_and_scale(
    moments: Moments, groups: Sequence[str], quantiles: Quantiles | None = None, chosen: Sequence[bool] = ()
) -> tuple[Tensor, Tensor]:
    """`mean_and_deviation`, or centre and scale of the quantiles where chosen; scale 1 for a channel that is constant.

    A channel of which so many values are equal that its quantiles are too takes mean and deviation.
    """
    mean, deviation = mean_and_deviation(moments, groups)
    if quantiles is not None:
        centre, scale = quantiles.centre_and_scale(groups)
        use = torch.tensor(list(chosen)) & (scale > moments.rounding)
        mean, deviation = torch.where(use, centre, mean), torch.where(use, scale, deviation)
    constant = (deviation <= moments.rounding) | (deviation == 0)
    return mean, torch.where(constant, torch.ones_like(deviation), deviation)


class Normaliser(nn.Module):
    """Statistics of a problem's fields, of their change over one frame, of its coefficients and parameters.

    Buffers: ``mean``, ``scale`` (channel); ``change_scale`` (channel; the standard deviation of the change of the
    *normalised* field from frame to frame, one for a steady problem); the same pair for coeffs, params and, if there is
    one, forcing. Offsets and scales stay float64 when the model changes its precision; ``like`` has the precision and
    device of the model. A channel whose values, or whose changes, differ by rounding only has scale one.

    Args:
        problem: whose fields, coeffs and params.
        methods: "deviation", mean and standard deviation; "quantile", for values with heavy tails, see `Quantiles`;
            "log", mean and deviation of the natural logarithm of a positive field, whose decoded values are positive;
            or one of them by the name of a field, coeff or group, the others taking deviations. Params always do.

    Raises:
        ValueError: on an unknown method or name, or a logarithm of a vector, of a coefficient, on points or under a
            mask.
    """

    def __init__(self, problem: Problem, methods: str | Mapping[str, str] = "deviation"):
        super().__init__()
        usual, methods = (methods, {}) if isinstance(methods, str) else (METHODS[0], methods)
        parts = {"fields": problem.fields, "coeffs": problem.coeffs}
        self.by_quantile = {part: chosen_by(items, methods, usual, "quantile") for part, items in parts.items()}
        self.by_log = _checked_log(problem, methods, usual)
        names = {name for part in (problem.fields, problem.coeffs) for f in part for name in (f.name, f.group)}
        for name in methods:
            if name not in names:
                raise ValueError(
                    f"expected the name of a field, coeff or group ({', '.join(sorted(names))}), got {name}; "
                    "correct model.inputs.normalisation"
                )
        self.fields = problem.fields
        self.coeffs = problem.coeffs
        self.params = problem.params
        self.forcing = problem.forcing
        for name, size in (("", len(self.fields)), *((f"{part}_", len(getattr(self, part))) for part in PARTS)):
            stored = name != "forcing_" or size > 0  # files of problems without forcing have no such entries
            self.register_buffer(f"{name}mean", torch.zeros(size, dtype=torch.float64), persistent=stored)
            self.register_buffer(f"{name}scale", torch.ones(size, dtype=torch.float64), persistent=stored)
        self.register_buffer("change_scale", torch.ones(len(self.fields)))
        self.register_buffer("like", torch.zeros(()), persistent=False)

    def extra_repr(self) -> str:
        """Name the fields that are normalised by their logarithm: a run whose statistics are of others does not fit."""
        names = [field.name for field, chosen in zip(self.fields, self.by_log, strict=True) if chosen]
        return f"log={','.join(names)}" if names else ""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Normaliser:
        """Move to a device as other modules do, but keep offsets and scales in float64."""
        exact = {name: getattr(self, name) for name in EXACT}
        super()._apply(fn, recurse)
        for name, values in exact.items():
            moved = getattr(self, name)
            if moved.dtype != values.dtype:
                setattr(self, name, values.to(moved.device))
        return self

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        """Read the statistics of a training split, batch after batch.

        Raises:
            ValueError: if there is no batch, or a value inside the mask is not finite.
        """
        u, change, physical = (Moments(len(self.fields)) for _ in range(3))
        coeffs, params, forcing = (Moments(len(part)) for part in (self.coeffs, self.params, self.forcing))
        tails = {part: Quantiles(len(chosen)) if any(chosen) else None for part, chosen in self.by_quantile.items()}
        for batch in batches:
            there, padding = batch.existing, batch.point_mask
            mask = None if there is None else there[:, None].expand_as(batch.u).flatten(0, 1)
            _check_finite(batch, self.fields)
            _check_inputs(batch, self.coeffs, self.params, self.forcing)
            values = self._logarithms(batch.u)
            if any(self.by_log):
                physical.add(batch.u.flatten(0, 1), mask)
            u.add(values.flatten(0, 1), mask)
            if tails["fields"] is not None:
                tails["fields"].add(values.flatten(0, 1), mask)
            if batch.u.shape[1] > 1:
                between = None if there is None else there[:, None].expand_as(batch.u[:, 1:]).flatten(0, 1)
                change.add((values[:, 1:].double() - values[:, :-1].double()).flatten(0, 1), between)
            if batch.coeffs is not None:
                known = torch.isfinite(batch.coeffs)  # outside the mask a coefficient may be NaN
                known = known if padding is None else known & (padding[:, None] > 0)
                coeffs.add(batch.coeffs, known)
                if tails["coeffs"] is not None:
                    tails["coeffs"].add(batch.coeffs, known)
            if batch.params is not None:
                params.add(batch.params)
            if batch.forcing is not None:
                known = None if padding is None else padding[:, None, None].expand_as(batch.forcing).flatten(0, 1)
                forcing.add(batch.forcing.flatten(0, 1), known)
        if not u.count.any():
            raise ValueError("expected at least one training sample to calibrate on, found none; check the data")
        u.least = torch.where(torch.tensor(self.by_log), physical.share, 0.0)
        groups = [field.group for field in self.fields]
        mean, scale = mean_and_scale(u, groups, tails["fields"], self.by_quantile["fields"])
        deviation = mean_and_deviation(change, groups)[1]
        still = (deviation <= u.rounding) | (deviation == 0)
        self.change_scale.copy_(torch.where(still, torch.ones_like(scale), deviation / scale))
        self.mean.copy_(mean)
        self.scale.copy_(scale)
        for name, moments, names in (
            ("coeffs", coeffs, [field.group for field in self.coeffs]),
            ("params", params, list(self.params)),
            ("forcing", forcing, [field.group for field in self.forcing]),
        ):
            mean, scale = mean_and_scale(moments, names, tails.get(name), self.by_quantile.get(name, ()))
            getattr(self, f"{name}_mean").copy_(mean)
            getattr(self, f"{name}_scale").copy_(scale)

    def encode(self, u: Float[Tensor, "batch time channel *space"]) -> Float[Tensor, "batch time channel *space"]:
        """Physical to normalised, computed in float64 and returned in the precision of ``u``."""
        return ((self._logarithms(u) - _channels(self.mean, u)) / _channels(self.scale, u)).to(u.dtype)

    def decode(self, u: Float[Tensor, "batch time channel *space"]) -> Float[Tensor, "batch time channel *space"]:
        """Normalised to physical, computed in float64 and returned in the precision of ``u``.

        A field of logarithms is at least the smallest normal number of that precision: it never becomes zero.
        """
        values = u * _channels(self.scale, u) + _channels(self.mean, u)
        if any(self.by_log):
            flags = _channels(self._log_flags(u), u)  # exp() of another field may overflow, and its gradient be NaN
            smallest = torch.finfo(u.dtype).tiny
            values = torch.where(flags, torch.where(flags, values, 0.0).exp().clamp_min(smallest), values)
        return values.to(u.dtype)

    def _log_flags(self, u: Tensor) -> Tensor:
        return torch.tensor(self.by_log, device=u.device)

    def _logarithms(self, u: Tensor) -> Tensor:
        """The fields, in float64 and by their logarithm where it is chosen.

        Raises:
            ValueError: if such a field is not positive.
        """
        if not any(self.by_log):
            return u
        flags = _channels(self._log_flags(u), u)
        bad = flags & (u <= 0)
        if bad.any():
            sample, frame, channel = (int(i) for i in bad.nonzero()[0][:3])
            names = [field.name for field, chosen in zip(self.fields, self.by_log, strict=True) if chosen]
            raise ValueError(
                f"expected positive values of {', '.join(names)}, which are normalised by their logarithm, found "
                f"{float(u[sample, frame, channel].min()):g} in {self.fields[channel].name}; choose another "
                "model.inputs.normalisation"
            )
        return torch.where(flags, torch.where(flags, u, 1.0).double().log(), u.double())

    def encode_coeffs(self, coeffs: Float[Tensor, "batch coeff *space"]) -> Float[Tensor, "batch coeff *space"]:
        shape = (-1,) + (1,) * (coeffs.ndim - 2)
        return ((coeffs - self.coeffs_mean.reshape(shape)) / self.coeffs_scale.reshape(shape)).to(coeffs.dtype)

    def encode_forcing(
        self, forcing: Float[Tensor, "batch time force *space"]
    ) -> Float[Tensor, "batch time force *space"]:
        mean, scale = _channels(self.forcing_mean, forcing), _channels(self.forcing_scale, forcing)
        return ((forcing - mean) / scale).to(forcing.dtype)

    def encode_params(self, params: Float[Tensor, "batch param"]) -> Float[Tensor, "batch param"]:
        return ((params - self.params_mean) / self.params_scale).to(params.dtype)


def chosen_by(fields: Sequence[Field], methods: Mapping[str, str], usual: str, wanted: str) -> list[bool]:
    """True for each field that is normalised by a method; the name of a field takes precedence over its group.

    >>> chosen_by((Field("u", vector="v"), Field("T")), {"v": "quantile"}, "deviation", "quantile")
    [True, False]
    """
    found = []
    for field in fields:
        method = methods.get(field.name, methods.get(field.group, usual))
        if method not in METHODS:
            raise ValueError(
                f"expected a normalisation among {METHODS}, got {method!r}; set model.inputs.normalisation"
            )
        found.append(method == wanted)
    return found


def _checked_log(problem: Problem, methods: Mapping[str, str], usual: str) -> list[bool]:
    """True for each field that is normalised by its logarithm.

    Raises:
        ValueError: if it is a part of a vector, a coefficient, or if fields do not exist on all of a grid.
    """
    chosen = chosen_by(problem.fields, methods, usual, "log")
    groups = [field.group for field in problem.fields]
    vectors = [f.name for f, log in zip(problem.fields, chosen, strict=True) if log and groups.count(f.group) > 1]
    of_coeffs = any(chosen_by(problem.coeffs, methods, usual, "log"))
    partial = problem.has_mask or not problem.grid.uniform
    if vectors or of_coeffs or (any(chosen) and partial):
        found = vectors or "coefficients, a mask or points"
        raise ValueError(
            f"expected log for positive scalar fields on a grid without a mask, found {found}; "
            "name single fields as in model.inputs.normalisation={density: log}"
        )
    return chosen


def _channels(values: Tensor, u: Tensor) -> Tensor:
    """Values of each channel, shaped to broadcast over "batch time channel *space"."""
    return values.reshape((-1,) + (1,) * (u.ndim - 3))


def _check_finite(batch: Trajectory, fields: Sequence[Field]) -> None:
    bad, there = ~torch.isfinite(batch.u), batch.existing
    if there is not None:
        bad &= there[:, None] > 0
    if not bad.any():
        return
    sample, frame, channel = (int(i) for i in bad.nonzero()[0][:3])
    index = sample if batch.index is None else int(batch.index[sample])
    raise ValueError(
        f"expected finite training data, found {batch.u[sample, frame, channel][bad[sample, frame, channel]][0]} in "
        f"{fields[channel].name} of sample {index} at t = {float(batch.t[sample, frame]):g}; "
        "remove the sample, or mask the points where the field does not exist"
    )


def _check_inputs(batch: Trajectory, coeffs: Sequence[Field], params: Sequence[str], forcing: Sequence[Field]) -> None:
    """Refuse NaN and Inf in coeffs (inside the mask, if there is one), forcing and params."""
    bad = []
    if batch.forcing is not None and not torch.isfinite(batch.forcing).all():
        place = (~torch.isfinite(batch.forcing)).nonzero()[0]
        bad.append(("forcing", forcing[int(place[2])].name, int(place[0])))
    if batch.coeffs is not None:
        wrong = ~torch.isfinite(batch.coeffs)
        if batch.mask is not None:
            wrong &= (batch.mask > 0).any(1, keepdim=True)
        bad += [("coeff", coeffs[int(place[1])].name, int(place[0])) for place in wrong.nonzero()[:1]]
    if batch.params is not None:
        places = (~torch.isfinite(batch.params)).nonzero()[:1]
        bad += [("param", params[int(place[1])], int(place[0])) for place in places]
    if bad:
        kind, name, sample = bad[0]
        index = sample if batch.index is None else int(batch.index[sample])
        raise ValueError(
            f"expected finite training data, found NaN or Inf in the {kind} {name} of sample {index}; remove the "
            "sample or supply the value"
        )
