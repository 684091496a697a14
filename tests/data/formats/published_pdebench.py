"""Writers of PDEBench's layouts as its generators write them (keys, types, orders, quirks), non-square."""

import h5py
import numpy as np


def counted(*shape, dtype="f4"):
    """All different values, so that a transposed axis is seen."""
    return np.arange(np.prod(shape), dtype=np.float64).reshape(shape).astype(dtype) / 8


def centres(lower, upper, n):
    return (lower + (np.arange(n) + 0.5) * (upper - lower) / n).astype("f4")


def tensor(path, n=20, frames=5, points=16, **attributes):
    """Layout A; the times are one more than the frames."""
    with h5py.File(path, "w") as file:
        file["tensor"] = counted(n, frames, points)
        file["x-coordinate"] = centres(-1, 1, points)
        file["t-coordinate"] = (0.01 * np.arange(frames + 1)).astype("f4")
        file.attrs.update(attributes)
    return path


def darcy(path, n=20, shape=(8, 6)):
    """Layout A of steady pairs: the solution has a time axis of length 1, the coefficient has none."""
    with h5py.File(path, "w") as file:
        file["tensor"] = counted(n, 1, *shape)
        file["nu"] = counted(n, *shape) + 1000
        for letter, size in zip("xy", shape, strict=True):
            file[f"{letter}-coordinate"] = centres(0, 1, size)
        file.attrs["beta"] = 1.0
    return path


def flow(path, shape=(8, 6), n=20, frames=4):
    """Layout B."""
    keys = ["density", "pressure", "Vx", "Vy", "Vz"][: 2 + len(shape)]
    with h5py.File(path, "w") as file:
        for number, key in enumerate(keys):
            file[key] = counted(n, frames, *shape) + 10000 * number
        for letter, size in zip("xyz", shape, strict=False):
            file[f"{letter}-coordinate"] = centres(0, 1, size)
        file["t-coordinate"] = (0.05 * np.arange(frames + 1)).astype("f4")
        file.attrs.update(eta=0.01, zeta=0.01)
        if len(shape) > 1:
            file.attrs["M"] = 0.1
    return path


def seeded(path, shape=(8, 6), channels=2, n=20, frames=5, box=(-1.0, 1.0)):
    """Layout C: a compressed group for each seed."""
    with h5py.File(path, "w") as file:
        for seed in range(n):
            group = file.create_group(f"{seed:04d}")
            group.create_dataset("data", data=counted(frames, *shape, channels) + 10000 * seed, compression="lzf")
            for letter, size in zip("xyz", shape, strict=False):
                group.create_dataset(f"grid/{letter}", data=centres(*box, size), compression="lzf")
            group.create_dataset("grid/t", data=np.linspace(0, 5, frames, dtype="f4"), compression="lzf")
            group.attrs["config"] = f"sim:\n  seed: {seed}\n"
    return path


def incompressible(path, n=4, frames=6, written=5, shape=(8, 6)):
    """Layout D: a file whose last frame was not written."""
    with h5py.File(path, "w") as file:
        options = {"compression": "lzf", "shuffle": True}
        file.create_dataset("velocity", data=counted(n, frames, *shape, 2), chunks=(1, 1, *shape, 2), **options)
        file.create_dataset("particles", data=counted(n, frames, *shape, 1) + 1e4, chunks=(1, 1, *shape, 1), **options)
        file["force"] = counted(n, *shape, 2) + 2e4
        file["t"] = np.broadcast_to(0.005 * np.arange(frames), (n, frames)).astype("f4")
        file.attrs.update(config="sim:\n  NU: 0.01\n", latestIndex=written - 1)
    return path
