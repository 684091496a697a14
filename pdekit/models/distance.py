"""Signed distance of each point to the edge of a mask, where a field begins or ends."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from pdekit.fields import Grid


def signed_distance(mask: Float[Tensor, "batch field *space"], grid: Grid) -> Float[Tensor, "batch field *space"]:
    """Distances between points on either side of the edge, as shares of the box's shortest length.

    Positive inside: the distance to the nearest point outside, less half a spacing, so that the edge lies at 0;
    negative outside. 1 or -1 where a mask has no edge. Periodic axes wrap around.

    Limits: exact for the points, and so off by up to half a spacing for the geometry. Computed on the CPU.

    >>> signed_distance(torch.tensor([[[0.0, 1.0, 1.0, 1.0]]]), Grid((4,), (4.0,), layout=("cells",))).tolist()
    [[[-0.125, 0.125, 0.375, 0.625]]]
    """
    inside = mask.detach().cpu().numpy() > 0
    length = min(float(one) for one in grid.extent)
    spacing = [float(h) for h in grid.spacing]
    pads = [n // 2 + 1 if layout == "periodic" else 0 for n, layout in zip(grid.shape, grid.layout, strict=True)]
    centre = tuple(slice(pad, pad + n) for pad, n in zip(pads, grid.shape, strict=True))
    flat = inside.reshape(-1, *grid.shape)
    different, which = np.unique(flat.reshape(len(flat), -1), axis=0, return_inverse=True)
    found = np.empty((len(different), *grid.shape))
    for row, points in enumerate(different.reshape(-1, *grid.shape)):
        if points.all() or not points.any():
            found[row] = 1.0 if points.all() else -1.0
            continue
        padded = np.pad(points, [(pad, pad) for pad in pads], mode="wrap")
        half = 0.5 * min(spacing)
        within = np.maximum(distance_transform_edt(padded, sampling=spacing) - half, 0.0)
        without = np.maximum(distance_transform_edt(~padded, sampling=spacing) - half, 0.0)
        found[row] = ((within - without) / length)[centre]
    return torch.from_numpy(found[which.reshape(-1)]).reshape(mask.shape).to(mask)
