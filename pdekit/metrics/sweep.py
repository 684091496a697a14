"""One sweep over a forecast and its reference makes all sums over space that the measures of a box are written in.

A few fields are taken at a time, from their values to their sums, because they then stay in the processor's own cache:
field, spectrum and squares of a long stretch would each go out to memory and come back.

A transform is linear: the spectrum of the forecast is that of the reference and that of the error, and a model costs
one transform. That of the error is not a difference of spectra, which would be lost in the rounding of large fields.
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


@dataclass(frozen=True)
class Sums:
    """What a sweep finds of one field, "... batch time channel"; None where no measure asks for it.

    Args:
        power: sum |u_hat|^2 of each shell, "... batch time channel shell"; shell 0 holds the mean and nothing else.
        slope: sum |k|^2 |u_hat|^2.
        mean: <u> on a periodic box.
        absolute: <|u|>, of the reference and the error.
        largest: max |u|, of the error.
    """

    power: Tensor
    slope: Tensor
    mean: Tensor
    absolute: Tensor | None = None
    largest: Tensor | None = None

    @classmethod
    def empty(cls, like: Tensor, shape: Sequence[int], n_shells: int, sizes: int) -> Sums:
        """Tensors of a shape to write sums into, with the first of the two ``sizes`` or both."""
        return cls(like.new_empty(*shape, n_shells), *(like.new_empty(*shape) for _ in range(2 + sizes)))

    @staticmethod
    def joined(parts: Sequence[Sums]) -> Sums:
        """One after the other in time."""
        if len(parts) == 1:
            return parts[0]
        power, *others = (
            torch.cat(values, -2 - (n == 0)) for n, values in enumerate(zip(*(s.found for s in parts), strict=True))
        )
        return Sums(power, *others)

    @property
    def found(self) -> list[Tensor]:
        return [values for field in dataclasses.fields(self) if (values := getattr(self, field.name)) is not None]


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
        size = max(1, VALUES // n_values(self.problem.grid)) if self.u.device.type == "cpu" else max(1, n)
        return [slice(start, min(start + size, n)) for start in range(0, n, size)]

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
        shape = u.shape[: u.ndim - len(self.problem.grid.shape)]
        return _sums(of_error, shape), _sums(of_forecast, shape)

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
                self._known[number] = u_hat
        return self._known[number]

    @cached_property
    def _found(self) -> list[Tensor]:
        """Sums of the rows whose spectra are known."""
        return self._room(self.u, self.fields.shape[:1], 4)

    def _room(self, u: Tensor, rows: Sequence[int], n: int) -> list[Tensor]:
        """The first ``n`` tensors of sums, by rows."""
        return [u.new_empty(*rows, self.shells.n), *(u.new_empty(*rows) for _ in range(n - 1))]

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
    return Sums(power.reshape(*shape, -1), *(values.reshape(shape) for values in others))
