"""Files of an inference: posterior samples as NetCDF, scores, a table and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from pdekit.fields import AXES
from pdekit.models.diffusion_pde import DiffusionPDE

SHOWN = 3  # channels of a picture, at most
CELL = 2.2  # inches


def posterior_dataset(
    model: DiffusionPDE, members: Tensor, known: Tensor, observed: Tensor, truth: Tensor | None
) -> xr.Dataset:
    """Return posterior samples with names, coordinates and units.

    Args:
        model: names the channels.
        members: physical, "member sample joint *space".
        known: 1 at observed points, "sample joint *space".
        observed: observed values, physical; shown where known.
        truth: physical, "sample joint *space"; None if unknown.

    Returns:
        For each channel its samples (member, sample, axes), ``<name> mean``, ``<name> spread`` (standard deviation),
        ``<name> observed`` (NaN where not) and, if known, ``<name> truth``.
    """
    grid = model.problem.box
    axes = AXES[: grid.ndim]
    units = [field.unit for field in (*model.problem.coeffs, *model.problem.fields * model.n_frames)]
    dims, found = ("sample", *axes), {}
    for i, name in enumerate(model.names):
        unit = {"units": units[i]}
        values = members[:, :, i].double()
        found[name] = (("member", *dims), values.float().numpy(), unit)
        found[f"{name} mean"] = (dims, values.mean(0).float().numpy(), unit)
        found[f"{name} spread"] = (dims, values.std(0).float().numpy(), unit)
        seen = torch.where(known[:, i] > 0, observed[:, i].double(), torch.nan)
        found[f"{name} observed"] = (dims, seen.float().numpy(), unit)
        if truth is not None:
            found[f"{name} truth"] = (dims, truth[:, i].float().numpy(), unit)
    coordinates = {axis: (axis, grid.coordinates(i).numpy()) for i, axis in enumerate(axes)}
    return xr.Dataset(found, coords=coordinates)


def scores_dataset(scores: Mapping[str, Mapping[str, Mapping[str, Tensor]]]) -> xr.Dataset:
    """Return scores by method and channel, a variable with the dimensions (model, channel, sample) for each."""
    methods = list(scores)
    channels = list(scores[methods[0]])
    names = list(scores[methods[0]][channels[0]])
    values = {
        name: (
            ("model", "channel", "sample"),
            np.stack([[scores[m][c][name].numpy() for c in channels] for m in methods]),
        )
        for name in names
    }
    return xr.Dataset(values, coords={"model": methods, "channel": channels})


def table_of(scores: xr.Dataset, seconds: Mapping[str, float]) -> str:
    """Return a table in Markdown: medians over samples, a row for each method and channel."""
    lines = [
        "| method | channel | error of mean | of member | unobserved rms | spread | 50 % | 90 % | CPU s per sample |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for method in scores.model.values:
        for channel in scores.channel.values:
            middle = scores.sel(model=method, channel=channel).median("sample")
            numbers = [f"{100 * float(middle[name]):.2f} %" for name in ("relative_error", "sample_error")]
            numbers += [f"{float(middle[name]):.3g}" for name in ("error_unobserved", "spread")]
            numbers += [f"{100 * float(middle[name]):.0f} %" for name in ("coverage_50", "coverage_90")]
            # of a channel that is observed everywhere no point is left to score
            numbers = ["-" if "nan" in number else number for number in numbers]
            lines.append(f"| {method} | {channel} | {' | '.join(numbers)} | {seconds[str(method)]:.2g} |")
    return "\n".join(lines)


def draw_posterior(posterior: xr.Dataset, model: DiffusionPDE, path: Path, title: str) -> None:
    """Draw the first sample: truth, observations, mean, a member, spread and error, a row for each channel.

    A volume is shown by the section through its middle. Without a truth two columns are left out.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = model.names[-SHOWN:] if len(model.names) > SHOWN else model.names
    with_truth = f"{names[0]} truth" in posterior
    columns = [*(["truth"] if with_truth else []), "observed", "mean", "member", "spread"]
    columns += ["error"] if with_truth else []
    figure, panels = plt.subplots(
        len(names), len(columns), figsize=(CELL * len(columns), CELL * len(names)), squeeze=False
    )
    for row, name in enumerate(names):
        pictures = {column: posterior[f"{name} {column}"] for column in columns if column not in ("member", "error")}
        pictures["member"] = posterior[name].isel(member=0)
        if with_truth:
            pictures["error"] = abs(pictures["mean"] - pictures["truth"])
        field = pictures["truth" if with_truth else "mean"].isel(sample=0)
        common = (float(field.min()), float(field.max()))
        spread = (0.0, max(float(pictures[c].isel(sample=0).max()) for c in ("spread", "error") if c in pictures))
        for column, kind in enumerate(columns):
            limits = spread if kind in ("spread", "error") else common
            _draw(panels[row, column], pictures[kind].isel(sample=0), limits)
            if row == 0:
                panels[row, column].set_title(kind, fontsize=9)
        panels[row, 0].set_ylabel(name, fontsize=9)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _draw(panel, values: xr.DataArray, limits: tuple[float, float]) -> None:
    """Draw a line or a section, with common limits."""
    array = values.values
    panel.set_xticks([])
    panel.set_yticks([])
    if array.ndim == 1:
        panel.plot(values[values.dims[0]], array, ".-" if np.isnan(array).any() else "-", linewidth=1)
        return
    while array.ndim > 2:
        array = array[..., array.shape[-1] // 2]
    panel.imshow(array.T, origin="lower", vmin=limits[0], vmax=limits[1], cmap="viridis", interpolation="nearest")
