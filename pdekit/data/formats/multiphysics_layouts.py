"""Layouts of the six problems of Multiphysics Bench on disk, and the names of their arrays in pdekit.

All arrays are 128 x 128 on cell centres of a box around the origin. Sources: the export scripts of
https://github.com/xie-lab-ml/multiphysics-bench (DataProcessing/data_generate) and arXiv:2505.17575.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import pi
from types import MappingProxyType

import numpy as np

from pdekit.fields import Field

Arrays = Mapping[str, np.ndarray]
Places = tuple[np.ndarray, np.ndarray]  # x and y of the points, "x y"
YEAR = 365 * 86400.0


@dataclass(frozen=True)
class Stored:
    """One folder of arrays.

    Args:
        folder: its name.
        names: name of its field, or the two names of the fields of a complex array.
        offset: number to subtract: the ambient temperature where the field is a temperature rise.
    """

    folder: str
    names: tuple[str, ...]
    offset: float = 0.0


def same(inputs: Arrays) -> tuple[np.ndarray, ...]:
    """Coefficients that are the inputs as they are stored."""
    return tuple(inputs.values())


@dataclass(frozen=True)
class Layout:
    """One problem.

    Args:
        folder: under ``training`` and ``testing``.
        extent: lengths of the box [m].
        channels: channels of the output, in the published order.
        inputs: folders of the inputs.
        equation: class of `pdekit.pdes`, whose fields and coefficients these are; "" if there is none.
        fields: the channels as `Field`s, in the order of pdekit, where there is no equation.
        coeffs: the inputs as `Field`s, where there is no equation.
        to_coeffs: inputs -> coefficients.
        rows: the axis along which the first index of an array runs, "x" or "y".
        reversed_x: whether x falls along its index.
        geometry: folder of a table of numbers for each sample, and the names and units (as factors) of its columns.
        mask: (inputs, geometry, places) -> where each field exists; None if everywhere or unknown.
        mask_of_geometry: whether it needs the table, without which there is no mask.
        dt, n_frames: time step and number of frames of a problem in time, which has a folder of frames for each sample.
    """

    folder: str
    extent: tuple[float, float]
    channels: tuple[Stored, ...]
    inputs: tuple[str, ...]
    equation: str = ""
    fields: tuple[Field, ...] = ()
    coeffs: tuple[Field, ...] = ()
    to_coeffs: Callable[[Arrays], tuple[np.ndarray, ...]] = same
    rows: str = "y"
    reversed_x: bool = False
    geometry: tuple[str, tuple[tuple[str, float], ...]] | None = None
    mask: Callable[[Arrays, Mapping[str, float], Places], np.ndarray] | None = None
    mask_of_geometry: bool = False
    dt: float | None = None
    n_frames: int = 1


def split_materials(inputs: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """``mater`` holds the prefactor of silicon's conductivity (1e11 to 3e11) inside the ellipse, and the heat
    conductivity of alumina (10 to 20) outside; silicon conducts 70 W/(m K)."""
    (mater,) = inputs.values()
    silicon = mater > SILICON
    return np.where(silicon, mater, 0.0), np.where(silicon, 70.0, mater)


def outside_hole(inputs: Arrays, geometry: Mapping[str, float], places: Places) -> np.ndarray:
    """Nothing exists in the hole, where the stored conductivity is zero."""
    (conductivity,) = inputs.values()
    return np.broadcast_to(conductivity > 0, (3, *conductivity.shape))


def fluid_and_disc(inputs: Arrays, geometry: Mapping[str, float], places: Places) -> np.ndarray:
    """The pressure exists in the water; stress and load in the disc of 5 mm at the origin."""
    inside = np.hypot(*places) < DISC
    return np.stack([~inside] * 2 + [inside] * 10)


def air_and_copper(inputs: Arrays, geometry: Mapping[str, float], places: Places) -> np.ndarray:
    """The air moves, copper does not; both are warm."""
    x, y = places
    air = np.hypot(x - geometry["disc_x"], y - geometry["disc_y"]) > geometry["disc_radius"]
    return np.stack([air, air, np.ones_like(air)])


SILICON = 1e6  # between the two materials' numbers
DISC = 5e-3  # m
MILLI = 1e-3
VELOCITY = (Field("velocity_x", "m/s", vector="velocity"), Field("velocity_y", "m/s", vector="velocity"))


def _pairs(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}_{part}" for name in names for part in ("real", "imag"))


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "te_heat": Layout(
            folder="TE_heat",
            extent=(0.128, 0.128),
            channels=(Stored("Ez", _pairs("electric_field")), Stored("T", ("temperature_rise",), 293.15)),
            inputs=("mater",),
            equation="ElectroThermal",
            to_coeffs=split_materials,
            rows="x",
            geometry=(
                "ellipticcsv",
                (("ellipse_a", MILLI), ("ellipse_b", MILLI), ("ellipse_angle", pi / 180)),
            ),
        ),
        "ns_heat": Layout(
            folder="NS_heat",
            extent=(0.128, 0.128),
            channels=(
                Stored("u_u", ("velocity_x",)),
                Stored("u_v", ("velocity_y",)),
                Stored("T", ("temperature_rise",), 283.15),
            ),
            fields=(*VELOCITY, Field("temperature_rise", "K")),
            inputs=("Q_heat",),
            coeffs=(Field("heat_source", "W/m^3"),),
            geometry=("circlecsv", (("disc_x", 1.0), ("disc_y", 1.0), ("disc_radius", 1.0))),
            mask=air_and_copper,
            mask_of_geometry=True,
        ),
        "e_flow": Layout(
            folder="E_flow",
            extent=(1.28e-3, 1.28e-3),
            channels=(
                Stored("ec_V", ("potential",)),
                Stored("u_flow", ("velocity_x",)),
                Stored("v_flow", ("velocity_y",)),
            ),
            inputs=("kappa",),
            equation="ElectroOsmosis",
            geometry=(
                "ellipticcsv",
                (("hole_x", MILLI), ("hole_y", MILLI), ("hole_a", MILLI), ("hole_b", MILLI)),
            ),
            mask=outside_hole,
        ),
        "mhd": Layout(
            folder="MHD",
            extent=(0.08, 0.0275),
            channels=(
                Stored("Jx", ("current_x",)),
                Stored("Jy", ("current_y",)),
                Stored("Jz", ("current_z",)),
                Stored("u_u", ("velocity_x",)),
                Stored("u_v", ("velocity_y",)),
            ),
            fields=(
                Field("current_x", "A/m^2", vector="current"),
                Field("current_y", "A/m^2", vector="current"),
                Field("current_z", "A/m^2"),
                *VELOCITY,
            ),
            inputs=("Br",),
            coeffs=(Field("remanence", "T"),),
            reversed_x=True,
        ),
        "acoustic_structure": Layout(
            folder="VA",
            extent=(0.04, 0.04),
            channels=tuple(
                Stored(folder, _pairs(name))
                for folder, name in (
                    ("p_t", "pressure"),
                    ("Sxx", "stress_xx"),
                    ("Sxy", "stress_xy"),
                    ("Syy", "stress_yy"),
                    ("x_u", "load_x"),
                    ("x_v", "load_y"),
                )
            ),
            inputs=("rho_water",),
            equation="AcousticStructure",
            mask=fluid_and_disc,
        ),
        "elder": Layout(
            folder="Elder",
            extent=(300.0, 150.0),
            channels=(
                Stored("u_u", ("velocity_x",)),
                Stored("u_v", ("velocity_y",)),
                Stored("c_flow", ("concentration",)),
            ),
            inputs=("S_c",),
            equation="Elder",
            dt=2 * YEAR,
            n_frames=11,
        ),
    }
)
