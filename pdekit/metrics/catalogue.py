"""All measures, each with its perfect value, its unit and its value for a 10 % error."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from pdekit.fields import Problem
from pdekit.metrics.correlation import correlation, correlation_all
from pdekit.metrics.pointwise import (
    bias,
    boundary_rmse,
    mae,
    max_error,
    nrmse,
    relative_l1,
    rmse,
    symmetric_nrmse,
    vrmse,
)
from pdekit.metrics.spectra import (
    coherence,
    coherent_wavenumber,
    energy_spectrum,
    frmse_high,
    frmse_low,
    frmse_mid,
    log_spectral_distance,
    relative_h1,
    rmse_high,
    rmse_low,
    rmse_middle,
    spectral_nrmse,
)
from pdekit.metrics.sums import FieldSums

FRAME = ("member", "sample", "time", "field")
SHELL = (*FRAME, "shell")


@dataclass(frozen=True)
class Measure:
    """A field measure f(u, reference, problem, mask=None) and what it promises.

    Args:
        function: the measure; its name is its name in the scores.
        perfect: its value for the reference itself; None for a diagnostic of the forecast alone, and where it is the
            largest that the grid has.
        unit_power: power of the field's unit that the value carries: 0 if relative.
        ten_percent: its value for a forecast of 1.1 times the reference, on any reference of zero mean for a
            relative measure, on a reference of values +1 and -1 in equal number for the others; None where it is the
            largest that the grid has.
        dims: names of the result's dimensions.
        worst: the value of a diverged forecast.
        whole_box: whether it needs every point of a box: neither mesh nor mask.
        spatial: whether it compares patterns in space, and so needs some.
        axes: "any"; "periodic" if all axes must be, "bounded" if at least one must not.
    """

    function: Callable
    perfect: float | None
    unit_power: int
    ten_percent: float | None
    dims: tuple[str, ...] = FRAME
    worst: float = math.inf
    whole_box: bool = False
    spatial: bool = False
    axes: str = "any"

    @property
    def of_sums(self) -> Callable[[FieldSums], Tensor]:
        """The formula, from the sums that all measures share."""
        return self.function.of_sums

    @property
    def name(self) -> str:
        return self.function.__name__

    def suits(self, problem: Problem, masked: bool = False) -> bool:
        """True if the measure is defined for a problem, with or without a mask."""
        if not problem.grid.shape:
            return not (self.spatial or self.whole_box) and self.axes == "any"
        if self.axes != "any" and (not problem.grid.uniform or problem.grid.periodic != (self.axes == "periodic")):
            return False
        return not self.whole_box or (problem.grid.uniform and not masked)


CATALOGUE = (
    Measure(rmse, perfect=0.0, unit_power=1, ten_percent=0.1),
    Measure(nrmse, perfect=0.0, unit_power=0, ten_percent=0.1),
    Measure(vrmse, perfect=0.0, unit_power=0, ten_percent=0.1, spatial=True),
    Measure(symmetric_nrmse, perfect=0.0, unit_power=0, ten_percent=0.2 / 2.1),
    Measure(mae, perfect=0.0, unit_power=1, ten_percent=0.1),
    Measure(relative_l1, perfect=0.0, unit_power=0, ten_percent=0.1),
    Measure(max_error, perfect=0.0, unit_power=1, ten_percent=0.1),
    Measure(bias, perfect=0.0, unit_power=1, ten_percent=0.0),
    Measure(boundary_rmse, perfect=0.0, unit_power=1, ten_percent=0.1, spatial=True, axes="bounded"),
    Measure(relative_h1, perfect=0.0, unit_power=0, ten_percent=0.1, whole_box=True, axes="periodic"),
    Measure(correlation, perfect=1.0, unit_power=0, ten_percent=1.0, worst=-math.inf, spatial=True),
    Measure(correlation_all, perfect=1.0, unit_power=0, ten_percent=1.0, worst=-math.inf, spatial=True),
    Measure(energy_spectrum, perfect=None, unit_power=2, ten_percent=1.21 / 2, dims=SHELL, whole_box=True),
    Measure(spectral_nrmse, perfect=0.0, unit_power=0, ten_percent=0.1, dims=SHELL, whole_box=True),
    Measure(coherence, perfect=1.0, unit_power=0, ten_percent=1.0, dims=SHELL, worst=-math.inf, whole_box=True),
    Measure(coherent_wavenumber, perfect=None, unit_power=0, ten_percent=None, worst=0.0, whole_box=True, spatial=True),
    Measure(rmse_low, perfect=0.0, unit_power=1, ten_percent=0.1, whole_box=True),
    Measure(rmse_middle, perfect=0.0, unit_power=1, ten_percent=0.0, whole_box=True),
    Measure(rmse_high, perfect=0.0, unit_power=1, ten_percent=0.0, whole_box=True),
    Measure(frmse_low, perfect=0.0, unit_power=1, ten_percent=0.1 / 4, whole_box=True),
    Measure(frmse_mid, perfect=0.0, unit_power=1, ten_percent=0.0, whole_box=True),
    Measure(frmse_high, perfect=0.0, unit_power=1, ten_percent=0.0, whole_box=True),
    Measure(log_spectral_distance, perfect=0.0, unit_power=0, ten_percent=2 * math.log10(1.1), whole_box=True),
)
"""All field measures, in the order of docs/metrics.md."""

MEASURES = {measure.name: measure for measure in CATALOGUE}
