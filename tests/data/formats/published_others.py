"""Writers of other published layouts: keys, types and axes as they are published; non-square, all values different."""

import h5py
import numpy as np
import torch
import xarray as xr
from scipy.io import savemat

from .published_pdebench import counted


def smoke(path, mode="train", n=4, frames=5, shape=(8, 6), lift=0.3, texts=()):
    """PDEArena, 2-D smoke: float64, one group for the split, one row of coordinates for each trajectory; with a text
    for each trajectory as Text2PDE has them."""
    with h5py.File(path, "w") as file:
        group = file.create_group(mode)
        for number, key in enumerate(("u", "vx", "vy")):
            group[key] = counted(n, frames, *shape, dtype="f8") + 1e4 * number
        group["t"] = np.tile(18 + 6.0 * np.arange(frames), (n, 1))
        for letter, size in zip("xy", shape, strict=True):
            group[letter] = np.tile(np.linspace(0, 32, size), (n, 1))
            group[f"d{letter}"] = np.full(n, 32 / (size - 1))
        group["dt"], group["buo_y"] = np.full(n, 6.0), np.full(n, lift)
        for i, text in enumerate(texts):
            group[f"text_labels/{i}"] = text
    return path


def maxwell(path, mode="train", n=4, frames=5, shape=(6, 5, 4)):
    """PDEArena, 3-D Maxwell: two float64 arrays with the components last, and nothing else."""
    with h5py.File(path, "w") as file:
        for number, key in enumerate(("d_field", "h_field")):
            file[f"{mode}/{key}"] = counted(n, frames, *shape, 3, dtype="f8") + 1e4 * number
    return path


def weather(frames=5, shape=(8, 6), shift=0.0) -> xr.Dataset:
    """PDEArena, shallow water: a run of SpeedyWeather; latitudes are Gaussian, from north to south."""
    lat = np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(shape[1])[0]))[::-1]
    dims = ("time", "lev", "lat", "lon")
    values = counted(frames, 1, *shape[::-1]) + shift
    fields = {
        key: (dims, values + 1e4 * number, {"missing_value": -999999.0}) for number, key in enumerate(("u", "v", "vor"))
    }
    fields["pres"] = (("time", "lat", "lon"), values[:, 0] + 5e4, {"units": "Pa"})
    coords = {
        "time": ("time", 6 * np.arange(frames), {"units": "hours", "long_name": "time"}),
        "lev": ("lev", np.array([1.0])),
        "lat": ("lat", lat, {"units": "\u02daN"}),
        "lon": ("lon", np.arange(shape[0]) * 360 / shape[0], {"units": "\u02daE"}),
    }
    return xr.Dataset(fields, coords)


def weather_runs(folder, n=4, **options):
    """Runs in the folders in which the generator leaves them."""
    for i in range(n):
        place = folder / f"seed={i // 2}" / f"run{i % 2 + 1:04d}"
        place.mkdir(parents=True)
        weather(shift=100.0 * i, **options).to_netcdf(place / "output.nc", engine="h5netcdf")
    return folder


def weather_zarr(path, n=4, zarr_format=2):
    """The runs after each other in one Zarr folder, as the published data are."""
    xr.concat([weather(shift=100.0 * i) for i in range(n)], "b").to_zarr(path, zarr_format=zarr_format)
    return path


def kuramoto_sivashinsky(path, mode="train", n=4, frames=5, points=16, seed=0):
    """LPSDA and PDE-Refiner: box and step differ from trajectory to trajectory."""
    draw = np.random.default_rng(seed)
    length, dt = draw.uniform(57.6, 70.4, n), draw.uniform(0.18, 0.22, n)
    with h5py.File(path, "a") as file:
        group = file.create_group(mode)
        group[f"pde_{frames}-{points}"] = counted(n, frames, points, dtype="f8")
        group["x"], group["t"] = np.arange(points) * length[:, None] / points, np.arange(frames) * dt[:, None]
        group["dx"], group["dt"], group["v"] = length / points, dt, draw.uniform(0.5, 1.5, n)
    return path


def darcy_pt(path, n=12, shape=(8, 6)):
    """neuraloperator: x is bool, y float32."""
    torch.save({"x": torch.arange(n * 48).reshape(n, *shape) % 3 == 0, "y": torch.from_numpy(counted(n, *shape))}, path)
    return path


def burgers_pt(path, n=12, frames=5, points=8):
    """neuraloperator: y has a frame more than steps; visc is one number."""
    y = torch.from_numpy(counted(n, frames, points, dtype="f8"))
    torch.save({"x": y[:, 0], "y": y, "visc": 0.01}, path)
    return path


def controlled_burgers(path, n=12, steps=4, points=8):
    """WDNO: a forcing for each step, and so one less than frames."""
    u, f = counted(n, steps + 1, points), counted(n, steps, points) + 1e4
    torch.save({"u": torch.from_numpy(u), "f": torch.from_numpy(f)}, path)
    return path


def mat5(path, **arrays):
    savemat(path, arrays)
    return path


def mat73(path, **arrays):
    """MATLAB 7.3: a block of 512 bytes with a text, and all axes reversed."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file[name] = array.T
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64")
    return path


def named(n=10, frames=5, shape=(8, 6)) -> xr.Dataset:
    """A dataset with names of the CF conventions, whose axes stand in another order than pdekit's."""
    u = counted(n, frames, *shape)
    coords = {
        "time": ("time", np.datetime64("2020-01-01", "ns") + np.arange(frames) * np.timedelta64(6, "h")),
        "lon": ("lon", np.arange(shape[0]) * 45.0, {"units": "degrees_east", "axis": "X"}),
        "lat": ("lat", np.linspace(-50, 50, shape[1]), {"units": "degrees_north", "axis": "Y", "layout": "nodes"}),
    }
    dims = ("time", "lat", "lon", "member")
    fields = {
        "T": (dims, u.transpose(1, 3, 2, 0), {"units": "K"}),
        "q": (dims, u.transpose(1, 3, 2, 0) + 1e4, {"units": "g/kg"}),
        "height": (("member", "lat", "lon"), u[:, 0].transpose(0, 2, 1), {"units": "m"}),
        "co2": ("member", np.arange(n) * 10.0),
    }
    return xr.Dataset(fields, coords)
