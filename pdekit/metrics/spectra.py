"""Isotropic spectra: E(k_j) = 1/2 sum over |k| in shell j of |u_hat|^2, so that sum_j E(k_j) = 1/2 <u^2>.

Shells: `pdekit.metrics.shells`. Parseval's identity holds exactly (PDEBench's bands drop half of the independent modes
in 2-D and 3-D), on bounded axes with the trapezoidal weights of nodes and the equal weights of cells. Spectra need the
whole box: meshes and masks are refused. Boxes whose length varies are binned by mode, as if they had
the nominal length.

Shapes: as `pdekit.metrics.quadrature`, results "... batch time channel shell".
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pdekit.fields import Grid, Problem
from pdekit.metrics.quadrature import diverged_as, ratio
from pdekit.metrics.shells import shells, shells_of
from pdekit.metrics.sums import FieldSums, Sums, cosine, filled_shells, measure

COHERENT = 0.5
"""Coherence under which a scale is no longer forecast."""

LOW, MIDDLE = 4, 12
"""First shells of the middle and of the high band, those of PDEBench (Takamoto et al. 2022, section 3.3)."""


def energy_spectrum(u: Tensor, reference: Tensor | None, problem: Problem, mask: Tensor | None = None) -> Tensor:
    """E(k_j) of the field itself, in its unit squared; the reference is not used. +inf where u has diverged.

    Applied to a velocity component it is that component's kinetic energy, to vorticity the enstrophy spectrum.

    >>> from math import pi
    >>> from pdekit.fields import Field
    >>> problem = Problem(Grid((8,), (2 * pi,)), (Field("u"),), dt=1.0, n_frames=2)
    >>> u = 1 + 2 * torch.cos(3 * problem.grid.coordinates(0)).reshape(1, 1, 1, 8)
    >>> [round(e, 12) for e in energy_spectrum(u, None, problem).flatten().tolist()]
    [0.5, 0.0, 0.0, 1.0, 0.0]
    """
    return diverged_as(math.inf, Sums(u, problem, mask).power / 2)


def _energy_of_sums(sums: FieldSums) -> Tensor:
    return diverged_as(math.inf, sums.forecast.power / 2)


energy_spectrum.of_sums = _energy_of_sums


@measure
def spectral_nrmse(sums: FieldSums) -> Tensor:
    """nRMSE of each shell: sqrt(sum |u_hat - reference_hat|^2 / sum |reference_hat|^2) over its modes.

    1 where the forecast has nothing or half of what it has is noise; shells that the reference leaves empty give
    0 or +inf, and shells under the rounding of the stored data (see `filled_shells`) mean nothing.
    """
    error, size = (sums.joint(field.power, -2).sqrt() for field in (sums.error, sums.reference))
    return diverged_as(math.inf, ratio(error, size))


@measure
def coherence(sums: FieldSums) -> Tensor:
    """Re sum u_hat conj(reference_hat) / sqrt(sum |u_hat|^2 sum |reference_hat|^2) of each shell: -1..1.

    The correlation of what the two fields are at one scale: blind to its amplitude. 1 where both have nothing, 0 where
    one has. Computed from the error's power, so that it is exactly 1 for a field with itself.
    """
    error, u, r = (sums.joint(field.power, -2) for field in (sums.error, sums.forecast, sums.reference))
    a, b = u.sqrt(), r.sqrt()
    rho = cosine(error, sums.joint(sums.cross, -2), a, b)
    rho = torch.where(a * b == 0, (a + b == 0).to(rho.dtype), rho)
    finite = (error.sum(-1) + u.sum(-1)).isfinite()
    return torch.where(finite.unsqueeze(-1), rho, -math.inf)


@measure
def coherent_wavenumber(sums: FieldSums) -> Tensor:
    """The wavenumber at which `coherence` first falls under `COHERENT`, in radians per unit of length.

    All larger scales are forecast, at smaller ones the forecast is a guess. Shells of the mean and those that the
    reference does not fill (see `filled_shells`) are passed over; between shells the coherence is a broken line that
    begins with 1 at wavenumber 0. The largest wavenumber of the grid if it never falls, 0 for a diverged forecast.

    >>> from math import pi
    >>> from pdekit.fields import Field
    >>> problem = Problem(Grid((32,), (2 * pi,)), (Field("u"),), dt=1.0, n_frames=2)
    >>> x = problem.grid.coordinates(0)
    >>> reference = (torch.cos(2 * x) + torch.cos(6 * x)).reshape(1, 1, 1, 32)
    >>> u = (torch.cos(2 * x) + torch.sin(6 * x)).reshape(1, 1, 1, 32)
    >>> round(coherent_wavenumber(u, reference, problem).item(), 6)  # from 1 at 2 to 0 at 6
    4.0
    """
    rho, spacing = coherence.of_sums(sums), shells(sums.problem.grid).spacing
    filled = filled_shells(sums.joint(sums.reference.power, -2))
    filled[..., 0] = False
    number = torch.arange(rho.shape[-1], dtype=rho.dtype, device=rho.device)
    last = len(number) - 1
    after = torch.where(filled & (rho < COHERENT), number, math.inf).amin(-1, keepdim=True)
    # the last filled shell before the first that is below, or wavenumber 0 where coherence is 1
    before = torch.where(filled & (number < after), number, 0.0).amax(-1, keepdim=True)
    rho_0, rho_1 = (rho.gather(-1, at.clamp_max(last).long()) for at in (before, after))
    rho_0 = torch.where(before > 0, rho_0, 1.0)
    crossing = spacing * (before + (after - before) * (rho_0 - COHERENT) / (rho_0 - rho_1))
    found = torch.where(after <= last, crossing, spacing * last).squeeze(-1)
    return torch.where(rho[..., 0] > -math.inf, found, 0.0)


@measure
def log_spectral_distance(sums: FieldSums) -> Tensor:
    """sqrt(mean over shells of log10(E/E_reference)^2), in decades, over shells that the reference fills.

    Filled means above `FLOOR` of its strongest shell. Blind to phase: it asks whether the forecast has the right
    *amount* of every scale, and stays meaningful when predictability has ended. +inf for a forecast with an empty
    shell (to the rounding of its values, see `rounding_power`), for one of an empty reference, and where it has
    diverged.
    """
    power = diverged_as(math.inf, sums.forecast.power)
    empty = rounding_power(power.sum(-1), sums.forecast.eps)
    return decades(power, sums.reference.power, empty)


def rounding_power(square: Tensor, eps: float) -> Tensor:
    """The power below which a part of a spectrum is empty: that of the rounding of all values, (16 eps)^2 <u^2>."""
    return (16 * eps) ** 2 * square


def decades(spectrum: Tensor, wanted: Tensor, empty: Tensor | None = None) -> Tensor:
    """sqrt(mean of log10(spectrum/wanted)^2) over the last axis, where ``wanted`` is filled (see `filled_shells`).

    Parts of the spectrum with no more than ``empty`` have nothing, and make the distance +inf.

    >>> wanted = torch.tensor([1.0, 1e-2, 1e-9])
    >>> round(decades(torch.tensor([10.0, 1e-3, 1.0]), wanted).item(), 6)
    1.0
    """
    filled = filled_shells(wanted)
    if empty is not None:
        spectrum = torch.where(spectrum <= empty.unsqueeze(-1), 0.0, spectrum)
    square = (spectrum / wanted).log10().square().masked_fill_(~filled, 0)
    distance = (square.sum(-1) / filled.sum(-1)).sqrt()  # NaN, so +inf, if nothing is filled
    both_empty = (spectrum.amax(-1) == 0) & (wanted.amax(-1) == 0)
    return diverged_as(math.inf, distance).masked_fill_(both_empty, 0)


@measure
def rmse_low(sums: FieldSums) -> Tensor:
    """RMSE of the shells below `LOW`: sqrt(sum |e_hat|^2), in the unit of the field.

    The squares of the three bands add up to that of `rmse` (on periodic axes and cells), modes of mixed sign included.
    The limits are PDEBench's; its numbers are means over single shells and lose half of the modes.
    """
    return _band(sums, 0, LOW)


@measure
def rmse_middle(sums: FieldSums) -> Tensor:
    """RMSE of the shells from `LOW` to below `MIDDLE`, see `rmse_low`."""
    return _band(sums, LOW, MIDDLE)


@measure
def rmse_high(sums: FieldSums) -> Tensor:
    """RMSE of the shells from `MIDDLE` on, see `rmse_low`."""
    return _band(sums, MIDDLE, None)


@measure
def frmse_low(sums: FieldSums) -> Tensor:
    """PDEBench's fRMSE of the low band: the mean over shells j < `LOW` of sqrt(sum |e_hat|^2), in the field's unit.

    Takamoto et al. (2022), section 3.3, with three differences: all modes of a shell count (its code sums over one
    quadrant, and loses half of the independent modes with it), shells are rounded to the nearest wavenumber instead of
    cut, and the root is taken for each sample. Unlike `rmse_low` the three bands do not add up to anything.
    """
    return _mean_of_shells(sums, 0, LOW)


@measure
def frmse_mid(sums: FieldSums) -> Tensor:
    """PDEBench's fRMSE of the shells from `LOW` to below `MIDDLE`, see `frmse_low`."""
    return _mean_of_shells(sums, LOW, MIDDLE)


@measure
def frmse_high(sums: FieldSums) -> Tensor:
    """PDEBench's fRMSE of the shells from `MIDDLE` on, see `frmse_low`."""
    return _mean_of_shells(sums, MIDDLE, None)


@measure
def relative_h1(sums: FieldSums) -> Tensor:
    """||e|| / ||reference|| in the Sobolev norm of order 1: ||v||^2 = <v^2> + <|grad v|^2>, see `sobolev_norm`.

    Wavenumbers in the problem's unit of length, on which the value therefore depends. Periodic boxes only, where the
    gradient is that of the trigonometric interpolant.
    """
    error, norm = (sums.joint(field.slope + field.square) for field in (sums.error, sums.reference))
    return diverged_as(math.inf, ratio(error.sqrt(), norm.sqrt()))


def sobolev_norm(u: Tensor, problem: Problem, order: float) -> Tensor:
    """sqrt(sum (1 + |k|^2)^order |u_hat|^2), "... channel": the norm of H^order on a periodic box.

    torch-cfd 0.2.6 takes the square root of its weights twice, so that its norm of order s is that of order s/2, and
    at order 0 it falls back to the weight of order 1.

    >>> from math import pi
    >>> from pdekit.fields import Field
    >>> problem = Problem(Grid((32,), (2 * pi,)), (Field("u"),), dt=1.0, n_frames=2)
    >>> wave = 2**0.5 * torch.cos(7 * problem.grid.coordinates(0)).reshape(1, 1, 1, 32)
    >>> [round(sobolev_norm(wave, problem, order).item() ** 2, 9) for order in (0, 1, -1)]
    [1.0, 50.0, 0.02]
    """
    modes = shells_of(problem)
    return modes.total(modes.transform(u), (1 + modes.square_wavenumber) ** order).sqrt()


def wavenumbers(grid: Grid) -> Tensor:
    """The wavenumber k_j = j k_1 of every shell, in radians per unit of length."""
    return shells(grid).wavenumbers


def _band(sums: FieldSums, first: int, end: int | None) -> Tensor:
    # of every channel by itself, as all measures with a unit
    return _never_hidden(sums, sums.error.power[..., first:end].sum(-1).sqrt())


def _mean_of_shells(sums: FieldSums, first: int, end: int | None) -> Tensor:
    band = sums.error.power[..., first:end].sqrt()
    return _never_hidden(sums, band.sum(-1) / max(band.shape[-1], 1))


def _never_hidden(sums: FieldSums, band: Tensor) -> Tensor:
    """A band may be empty, and must not hide a divergence."""
    return torch.where(sums.error.square.isfinite(), band, math.inf)
