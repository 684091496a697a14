"""One sweep over a forecast and its reference makes all sums over space that the measures of a box are written in.

A few fields are taken at a time, from their values to their sums, because they then stay in the processor's own cache:
field, spectrum and squares of a long stretch would each go out to memory and come back.

A transform is linear: the spectrum of the forecast is that of the reference and that of the error, and a model costs
one transform. That of the error is not a difference of spectra, which would be lost in the rounding of large fields.

Sums are kept in float64. Rows whose squares leave the range of the fields' numbers, and forecasts that vary much more
or less than their reference, are taken again in float64, field by field: the sum of two spectra has the rounding of the
larger one.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from pdekit.fields import Problem, n_values
from pdekit.metrics import compiled, portable
from pdekit.metrics.shells import Shells, shells_of

VALUES = 3 * 2**17
"""Values of the fields that are taken at a time: 1.5 MiB in float32, between what caches hold and what calls cost."""


ALIKE = 2.0**12
"""Variations of forecast and reference that differ by more are taken again."""


@dataclass(frozen=True)
class Sums:
    """What a sweep finds of one field, "... batch time channel"; None where no measure asks for it.

    Args:
        power: sum |u_hat|^2 of each shell, "... batch time channel shell"; shell 0 holds the mean and nothing else.
        slope: sum |k|^2 |u_hat|^2.
        mean: <u> on a periodic box.
        absolute: <|u|>, of the reference and the error.
        largest: max |u|, of the error.
        cross: sum Re u_hat conj(reference_hat) of each shell, of the forecast.
    """

    power: Tensor
    slope: Tensor
    mean: Tensor
    absolute: Tensor | None = None
    largest: Tensor | None = None
    cross: Tensor | None = None

    @staticmethod
    def joined(parts: Sequence[Sums]) -> Sums:
        """One after the other in time."""
        if len(parts) == 1:
            return parts[0]
        named = {field.name: [getattr(part, field.name) for part in parts] for field in dataclasses.fields(Sums)}
        return Sums(
            **{
                name: None if values[0] is None else torch.cat(values, -2 - (name in ("power", "cross")))
                for name, values in named.items()
            }
        )


class Spectra:
    """Spectra of a reference "... batch time channel *space", a few fields each, made when first asked for and kept."""

    def __init__(self, u: Tensor, problem: Problem, mask: Tensor | None = None):
        self.u, self.problem, self.mask = u, problem, mask
        self._known: dict[int, Tensor] = {}
        self._others: dict[torch.dtype, Spectra] = {}
        self._lock = threading.RLock()

    @cached_property
    def shells(self) -> Shells:
        return shells_of(self.problem, self.mask)

    @cached_property
    def fields(self) -> Tensor:
        """As "row *space", a row for each time and channel of each sample."""
        return self.u.reshape(-1, *self.problem.grid.shape).contiguous()

    @cached_property
    def parts(self) -> list[slice]:
        """Of the rows."""
        n = len(self.fields)
        size = self._rows_of_part
        return [slice(start, min(start + size, n)) for start in range(0, n, size)]

    @property
    def _rows_of_part(self) -> int:
        fits = VALUES // n_values(self.problem.grid) if self.u.device.type == "cpu" else len(self.fields)
        return max(1, fits)

    def sums(self) -> Sums:
        """Of all rows."""
        if torch.promote_types(self.u.dtype, torch.float32) != self.u.dtype:
            return self._of(torch.float32).sums()
        for number in range(len(self.parts)):
            self._spectrum(number)
        return _sums(self._found, self.u.shape[: self.u.ndim - len(self.problem.grid.shape)])

    def beside(self, u: Tensor) -> tuple[Sums, Sums]:
        """Of the error of a forecast "... batch time channel *space", and of the forecast itself."""
        common = torch.promote_types(torch.promote_types(u.dtype, self.u.dtype), torch.float32)
        if common != self.u.dtype or common != u.dtype:
            return self._of(common).beside(u.to(common))
        by, weights, tables = self._arithmetic(u, self.u)
        members = u.reshape(-1, *self.fields.shape).contiguous()
        of_error, of_forecast = (self._room(u, members.shape[:2], n) for n in (5, 3))
        power = self.fields.new_empty(len(self.fields), self.shells.n, dtype=torch.float64)
        places = [[by.memory(values) for values in room] for room in (of_error, of_forecast)]
        reference, fields = by.array(self.fields), [by.array(member) for member in members]
        for number, part in enumerate(self.parts):
            r_hat = by.array(self._spectrum(number))
            for member, rows in enumerate(fields):
                at = member, part
                *of_e, absolute, largest = (values[at] for values in places[0])
                error = by.difference(rows[part], reference[part], weights, absolute, largest)
                e_hat = self.shells.transform(by.tensor(error).view(-1, *self.problem.grid.shape))
                by.shell_sums(by.array(e_hat), r_hat, tables, of_e, [values[at] for values in places[1]])
            power[part] = self._found[0][part]
        of_forecast.append((of_forecast[0] + power - of_error[0]) / 2)
        again = _apart(of_forecast[0], power, u.dtype) & of_error[3].isfinite()
        if again.any():
            for places in again.nonzero().split(self._rows_of_part):
                self._take_again(members, places.unbind(-1), of_error, of_forecast)
        shape = u.shape[: u.ndim - len(self.problem.grid.shape)]
        *of_forecast, cross = of_forecast
        found = dataclasses.replace(_sums(of_forecast, shape), cross=cross.reshape(*shape, -1))
        return _sums(of_error, shape), found

    def _take_again(
        self, members: Tensor, at: tuple[Tensor, ...], of_error: Sequence[Tensor], of_forecast: Sequence[Tensor]
    ) -> None:
        """Some rows in float64; ``at`` are the numbers of their members and rows."""
        u, reference = members[at].double(), self.fields[at[1]].double()
        error = u - reference
        _, sums = self._in_float64(error)
        u_hat, sums_of_u = self._in_float64(u)
        r_hat, _ = self._in_float64(reference)
        cross = portable.shell_products(u_hat, r_hat, portable.constants(self.shells, u)[1])
        largest = error.abs().flatten(1).amax(1)
        for room, found in zip((*of_error, *of_forecast), (*sums, largest, *sums_of_u[:3], cross), strict=True):
            room[at] = found.to(room)

    def _in_float64(self, u: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The spectrum of rows, and of each row power, slope, mean and mean size."""
        weights, tables = portable.constants(self.shells, u)
        found, u_hat = self._room(u, (len(u),), 4), self.shells.transform(u)
        portable.shell_sums(portable.array(u_hat), None, tables, found[:3])
        portable.size(portable.array(u), weights, found[3])
        return u_hat, found

    def _of(self, dtype: torch.dtype) -> Spectra:
        """In a precision that transforms have."""
        if dtype == self.u.dtype:
            return self
        if dtype not in self._others:
            self._others[dtype] = Spectra(self.u.to(dtype), self.problem, self.mask)
        return self._others[dtype]

    def _spectrum(self, number: int) -> Tensor:
        """Of a part, "row mode"; its sums are known from then on."""
        with self._lock:
            if number not in self._known:
                part, (by, weights, tables) = self.parts[number], self._own
                u, (*sums, absolute) = self.fields[part], (by.memory(values[part]) for values in self._found)
                u_hat = self.shells.transform(u)
                by.shell_sums(by.array(u_hat), None, tables, sums)
                by.size(by.array(u), weights, absolute)
                values = [values[part] for values in self._found]
                outside = (~_ordinary(values[0], u.dtype) & values[3].isfinite()).nonzero()[:, 0]
                if len(outside):
                    for room, found in zip(values, self._in_float64(u[outside].double())[1], strict=True):
                        room[outside] = found
                self._known[number] = u_hat
        return self._known[number]

    @cached_property
    def _found(self) -> list[Tensor]:
        """Sums of the rows whose spectra are known."""
        return self._room(self.u, self.fields.shape[:1], 4)

    def _room(self, u: Tensor, rows: Sequence[int], n: int) -> list[Tensor]:
        """The first ``n`` tensors of sums, by rows; the largest value is one of the field's own numbers."""
        kinds = [torch.float64] * 4 + [u.dtype]
        shapes = [(*rows, self.shells.n), *[tuple(rows)] * 4]
        return [u.new_empty(shape, dtype=kind) for shape, kind in zip(shapes[:n], kinds[:n], strict=True)]

    @cached_property
    def _own(self) -> tuple[ModuleType, Any, Any]:
        return self._arithmetic(self.u)

    def _arithmetic(self, *fields: Tensor) -> tuple[ModuleType, Any, Any]:
        """The module that suits fields, and what it has to know of points and of modes."""
        by = compiled if compiled.suits(*fields) else portable
        return by, *by.constants(self.shells, self.u)


def _sums(found: Sequence[Tensor], shape: Sequence[int]) -> Sums:
    """Of rows, with the dimensions of a field."""
    power, *others = found
    return Sums(power.reshape(*shape, -1), *(values.reshape(shape).double() for values in others))


def _ordinary(power: Tensor, dtype: torch.dtype) -> Tensor:
    """Whether the squares of fields of a precision, by shells, are far from the ends of its range."""
    total, kind = power.sum(-1), torch.finfo(dtype)
    return (total > kind.tiny**0.5) & (total < kind.max**0.75)


def _apart(power: Tensor, reference: Tensor, dtype: torch.dtype) -> Tensor:
    """Whether rows "member row" are out of range, or vary much more or much less than those of the reference."""
    u, r = power[..., 1:].sum(-1), reference[..., 1:].sum(-1)
    ordinary = _ordinary(power, dtype) & _ordinary(reference, dtype)
    return ~(ordinary & (u <= ALIKE * r) & (r <= ALIKE * u))
