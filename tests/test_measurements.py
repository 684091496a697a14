"""Files of measurements: what each format gives, and what is refused in a sentence."""

import numpy as np
import pytest
import torch
import xarray as xr

from pdekit.fields import Field, Grid, Problem
from pdekit.measurements import measured, read_measurements

GRID = Grid((5,), (2.0,), (-1.0,), ("nodes",))
ROD = Problem(GRID, (Field("T", "K"), Field("v")), dt=0.5, n_frames=5)  # -1 <= x <= 1, 0 <= t <= 2
POINTS = [[-1.0, 0.0], [0.25, 0.5], [1.0, 2.0]]
T, V = [290.0, 300.5, 310.0], [1.0, 2.0, 3.0]
COLUMNS = {"x": [p[0] for p in POINTS], "t": [p[1] for p in POINTS], "T": T, "v": V}


def written(folder, kind):
    path = folder / f"measured.{kind}"
    if kind == "csv":
        lines = ["x, t, T [K], v", *(f"{x},{t},{a},{b}" for (x, t), a, b in zip(POINTS, T, V, strict=True))]
        path.write_text("\n".join(lines) + "\n\n", "utf-8-sig")
    elif kind == "npy":
        np.save(path, np.array([[*p, a, b] for p, a, b in zip(POINTS, T, V, strict=True)]))
    elif kind == "npz":
        np.savez(path, **{name: np.array(values) for name, values in COLUMNS.items()})
    else:
        arrays = {name: ("sensor", np.array(values)) for name, values in COLUMNS.items()}
        arrays["T"] = (*arrays["T"], {"units": "K"})
        xr.Dataset(arrays).to_netcdf(path, engine="h5netcdf")
    return path


@pytest.mark.parametrize("kind", ["csv", "npy", "npz", "nc", "h5"])
def test_every_format_gives_the_same_values(kind, tmp_path):
    found = read_measurements(written(tmp_path, kind), ROD)
    assert found.points.tolist() == POINTS and found.points.dtype == torch.float64
    assert found.values.tolist() == [list(row) for row in zip(T, V, strict=True)] and len(found) == 3


def test_a_structured_array_names_its_columns(tmp_path):
    array = np.array([(0.5, 0.25, 7.0)], dtype=[("t", "f4"), ("x", "f8"), ("v", "i2")])
    np.save(tmp_path / "a.npy", array)
    found = read_measurements(tmp_path / "a.npy", ROD)
    assert found.points.tolist() == [[0.25, 0.5]] and found.values[0, 1] == 7 and found.values[0, 0].isnan()


def test_a_gridded_dataset_gives_every_point(tmp_path):
    x, t = np.linspace(-1, 1, 3), np.array([0.0, 1.5])
    values = np.arange(6.0).reshape(2, 3)
    data = xr.Dataset({"v": (("time", "x"), values)}, {"time": t, "x": x})
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    found = read_measurements(tmp_path / "a.nc", ROD)
    assert sorted((*p, v) for p, v in zip(found.points.tolist(), found.values[:, 1].tolist(), strict=True)) == sorted(
        (float(x[j]), float(t[i]), float(values[i, j])) for i in range(2) for j in range(3)
    )


def test_an_empty_cell_is_a_value_that_was_not_measured(tmp_path):
    (tmp_path / "a.csv").write_text("x,t,v,T\n0,1,,300\n0,2,5,\n")
    values = read_measurements(tmp_path / "a.csv", ROD).values
    assert values[0, 0] == 300 and values[1, 1] == 5 and values[0, 1].isnan() and values[1, 0].isnan()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x,T\n0,1\n", r"expected columns \['x', 't'\].*add \['t'\]"),
        ("x,t\n0,1\n", "add a field"),
        ("x,t,T,speed\n0,1,1,1\n", r"rename \['speed'\]"),
        ("x,t,T\n", "found 1 rows"),
        ("", "found 0 rows"),
        ("x,t,T\n0,1\n", "expected 3 cells in row 1, found 2"),
        ("x,t,T\n0,1,warm\n", "number of 'T' in row 1, found 'warm'"),
        ("x,t,T\n0,1,1\n0,1,\n", "found none in row 2"),
        ("x,t,T\n0,1,inf\n", "infinite one in row 1"),
        ("x,t,T\n0,,1\n", "t = nan in row 1"),
        ("x,t,T\n0,1,1\n1.5,1,1\n", r"x in \[-1, 1\].*found 1.5 in row 2"),
        ("x,t,T\n0,-0.5,1\n", r"t in \[0, 2\].*convert the unit"),
        ("x,t,T [C]\n0,1,1\n", r"unit \[K\].*found \[C\]"),
        ("x [cm],t,T\n0,1,1\n", r"unit \[1\] of the problem for 'x', found \[cm\]"),
        ("x,t,T,T\n0,1,1,1\n", "each column once"),
        ("x,t,T,T [K]\n0,1,1,1\n", "'T' twice"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(text, sentence, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=rf"(?s){sentence}.*\(file .*a\.csv\)"):
        read_measurements(tmp_path / "a.csv", ROD)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="correct measurements=FILE"):
        read_measurements(tmp_path / "none.csv", ROD)
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"ends in \.csv"):
        read_measurements(tmp_path / "a.xlsx", ROD)
    for name in ("a.npy", "a.npz", "a.nc", "b.csv"):
        (tmp_path / name).write_bytes(b"\x93NUMPY\xff\xfe damaged" * 9)
        with pytest.raises(ValueError, match="expected"):
            read_measurements(tmp_path / name, ROD)
    np.save(tmp_path / "c.npy", np.array([{"x": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="pickled"):
        read_measurements(tmp_path / "c.npy", ROD)
    np.save(tmp_path / "d.npy", np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"rows of 4 numbers in the order \['x', 't', 'T', 'v'\]"):
        read_measurements(tmp_path / "d.npy", ROD)


@pytest.mark.parametrize("bad", [["a", "b", "c"], [[1.0], [2.0], [3.0]], [1j, 2j, 3j], [1.0, 2.0]])
def test_columns_are_numbers_of_one_length(bad):
    with pytest.raises(ValueError, match=r"expected (one number in each row|columns of one length)"):
        measured(ROD, COLUMNS | {"T": bad})


def test_steady_problems_have_no_measurements_in_time():
    with pytest.raises(ValueError, match="expected a problem in time"):
        measured(Problem(GRID, (Field("T"),)), COLUMNS)
