"""Output of `pdekit.inspect` for a small file in each published layout: ``python -m tests.data.formats.inspected``
writes docs/inspected.md again."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import meshio
import numpy as np
import yaml

from pdekit.data import probe
from pdekit.data.inspection import inspect_path

from . import published_others as others
from . import published_pdebench as pdebench
from . import published_sets as sets

PAGE = Path(__file__).parents[3] / "docs" / "inspected.md"
INTRODUCTION = """# What inspect says

This page shows `python -m pdekit.inspect` for a small file in each published layout.
The files are made by the tests with the names, types and axes of the published ones,
and with counting numbers as values; ranges, and doubts about periodic boxes, come from
these. The page is made by `python -m tests.data.formats.inspected`, and a test compares
it with what inspect says.
"""


def splits(write: Callable, folder: Path, **names: str) -> Path:
    """Write a file for each split."""
    for split, name in names.items():
        write(folder / name, split)
    return folder


def waves(folder: Path) -> np.ndarray:
    return np.sin(np.arange(10 * 5 * 8 * 6)).reshape(10, 5, 8, 6)


def mapping(folder: Path) -> Path:
    others.mat73(folder / "mine.h5", u=np.moveaxis(waves(folder), 1, 3))
    content = {"file": "mine.h5", "fields": {"u": "/u"}, "axes": "tyxs", "dt": 0.5, "extent": [1.0, 2.0]}
    (folder / "mine.yaml").write_text(yaml.safe_dump({**content, "layout": "cells"}, sort_keys=False))
    return folder / "mine.yaml"


def meshes(folder: Path) -> Path:
    for i in range(4):
        places, cells = sets.mesh(seed=i)
        meshio.Mesh(places, [("triangle", cells)], point_data={"T": places[:, 0]}).write(folder / f"case{i}.vtu")
    return folder


def archive(folder: Path) -> Path:
    np.savez(folder / "a.npz", u=waves(folder), x=np.arange(8) / 8, y=np.linspace(0, 2, 6), t=0.5 * np.arange(5))
    return folder / "a.npz"


def named(folder: Path) -> Path:
    others.named().to_netcdf(folder / "era.nc", engine="h5netcdf")
    return folder / "era.nc"


def zarr(folder: Path) -> Path:
    others.named().to_zarr(folder / "era.zarr", zarr_format=2)
    return folder / "era.zarr"


def smoke_folders(folder: Path) -> Path:
    sets.smoke_folders(folder / "train")
    sets.smoke_folders(folder / "test" / "simulation", 2)
    return folder


def staggered(folder: Path) -> Path:
    for i in range(4):
        sets.staggered(folder / f"train.nc.hdf5-{i:04d}", *np.random.default_rng(i).normal(size=(2, 4, 8, 8)))
    sets.staggered(folder / "test.nc.hdf5-0000", *np.random.default_rng(9).normal(size=(2, 4, 8, 8)))
    return folder


def speeds(folder: Path) -> Path:
    for beta in (0.1, 0.4):
        pdebench.tensor(folder / f"1D_Advection_Sols_beta{beta}.hdf5", beta=beta)
    return folder


def arena(write: Callable) -> Callable[[Path], Path]:
    return lambda folder: splits(write, folder, train="a_train.h5", valid="a_valid.h5", test="a_test.h5")


def runs(folder: Path) -> Path:
    for split, n in (("train", 3), ("valid", 1), ("test", 1)):
        others.weather_runs(folder / split, n)
    return folder


LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "PDEBench: advection": lambda f: pdebench.tensor(f / "1D_Advection_Sols_beta0.4.hdf5", beta=0.4),
    "PDEBench: a folder of advection": speeds,
    "PDEBench: Darcy flow": lambda f: pdebench.darcy(f / "2D_DarcyFlow_beta1.0_Train.hdf5"),
    "PDEBench: compressible flow": lambda f: pdebench.flow(f / "2D_CFD_Rand_M0.1_periodic_Train.hdf5"),
    "PDEBench: diffusion-reaction": lambda f: pdebench.seeded(f / "2D_diff-react_NA_NA.h5"),
    "PDEBench: incompressible flow": lambda f: pdebench.incompressible(f / "ns_incom_inhom_2d_512-0.h5"),
    "PDEArena: smoke": arena(others.smoke),
    "PDEArena: Maxwell": arena(others.maxwell),
    "PDEArena: shallow water": runs,
    "LPSDA, PDE-Refiner: Kuramoto-Sivashinsky": arena(others.kuramoto_sivashinsky),
    "WDNO: Burgers": lambda f: others.controlled_burgers(f / "train"),
    "WDNO: smoke": smoke_folders,
    "Text2PDE: cylinder flow": lambda f: sets.text2pde(f / "cylinder.h5"),
    "MeshGraphNets: cylinder flow": lambda f: sets.meshgraphnets(f / "cylinder.h5"),
    "Poseidon: waves": lambda f: sets.poseidon(
        f / "Wave-Layer.nc", solution=pdebench.counted(8, 5, 8, 6), c=pdebench.counted(8, 8, 6)
    ),
    "TSM: Kolmogorov flow": staggered,
    "RealPDEBench: simulated flow": lambda f: sets.rows(f / "hf_dataset" / "numerical"),
    "APEBench: advection": lambda f: sets.apebench(
        f, "1d_diff_adv", pdebench.counted(6, 5, 1, 16), pdebench.counted(4, 9, 1, 16), gammas=[0.0, -4.0]
    ),
    "neuraloperator: Darcy flow": lambda f: others.darcy_pt(f / "darcy.pt"),
    "FNO: Navier-Stokes (MATLAB 7.3)": lambda f: others.mat73(f / "ns.mat", u=np.moveaxis(waves(f), 1, 3)),
    "NetCDF": named,
    "Zarr": zarr,
    "NumPy": archive,
    "meshes (VTU)": meshes,
    "HDF5 with a mapping": mapping,
}


def page(folder: Path) -> str:
    """Return the page for files made in an empty folder."""
    parts = [INTRODUCTION]
    for number, (title, write) in enumerate(LAYOUTS.items()):
        place = folder / f"{number:02d}"
        place.mkdir()
        said = str(inspect_path(write(place))).replace(str(place), "PATH")
        parts.append(f"## {title}\n\n```\n{said}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    probe._walked = lambda paths: ""
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(page(Path(folder)))
