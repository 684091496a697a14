"""Meshes of VTU, VTK and XDMF, as meshio writes them: steady samples, series, padding, splits, damage."""

import meshio
import numpy as np
import pytest

from pdekit.data.conversion import convert
from pdekit.data.formats import open_path, recognised
from pdekit.data.inspection import inspect_path
from pdekit.data.module import DataModule
from pdekit.fields import Field, Points


def mesh(seed, points=7, plane=True):
    draw = np.random.default_rng(seed)
    places = np.round(draw.uniform(size=(points, 3)), 3)
    if plane:
        places[:, 2] = 0
        cells = [("triangle", [[0, 1, 2], [1, 2, 3]]), ("quad", [[3, 4, 5, 6]])]
    else:
        cells = [("tetra", [[0, 1, 2, 3]])]
    return places, [(kind, np.array(rows)) for kind, rows in cells]


def arrays(seed, places, time=0.0):
    velocity = np.stack([places[:, 0] + time, 2 * places[:, 1], places[:, 2]], 1)
    return {"T": places[:, 0] + 10 * places[:, 1] + 100 * seed + time, "velocity": velocity}


def steady(folder, suffix, n=4, **options):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        places, cells = mesh(i, 7 + i % 2, **options)
        meshio.Mesh(places, cells, point_data=arrays(i, places)).write(folder / f"case{i}.{suffix}")
    return folder


def check(source, trajectory, n, frames=1, dt=0.0):
    """Values belong to their points, and cells to theirs."""
    batch, (places, cells) = source.read(trajectory), mesh(trajectory, n)
    x, y = batch.points[0, :n].T
    assert (np.diff(x) >= 0).all() and batch.point_mask[0].tolist() == [True] * n + [False] * (8 - n)
    for k in range(frames):
        expected = np.stack([x + 10 * y + 100 * trajectory + k * dt, x + k * dt, 2 * y])
        np.testing.assert_allclose(batch.u[0, k, :, :n], expected, rtol=1e-6, atol=1e-6)
    assert batch.cells.shape == (1, 3, 4) and batch.cells[0, :2, 3].tolist() == [-1, -1]
    corners = batch.points[0][batch.cells[0, 2]]
    np.testing.assert_allclose(corners, places[cells[1][1][0], :2], rtol=1e-6)


@pytest.mark.parametrize("suffix", ["vtu", "vtk", "xdmf"])
def test_steady_samples(tmp_path, suffix):
    source = recognised(steady(tmp_path, suffix)).open(tmp_path)["all"]
    fields = (Field("T"), Field("velocity_x", vector="velocity"), Field("velocity_y", vector="velocity"))
    assert source.problem.fields == fields and source.problem.grid == Points(2, 8) and source.problem.steady
    check(source, 2, 7)
    check(source, 3, 8)


def test_meshes_in_space(tmp_path):
    source = recognised(steady(tmp_path, "vtu", plane=False)).open(tmp_path)["all"]
    assert source.problem.grid == Points(3, 8) and source.problem.fields[-1].name == "velocity_z"
    assert source.read(1).cells.tolist()[0][0] != [-1] * 4


def test_folders_of_frames_with_times(tmp_path):
    for split, n in (("train", 3), ("test", 2)):
        for i in range(n):
            place = tmp_path / split / f"run{i}"
            place.mkdir(parents=True)
            places, cells = mesh(i, 7 + i % 2)
            for k in range(11):
                made = meshio.Mesh(places, cells, point_data=arrays(i, places, 0.5 * k))
                made.write(place / f"frame{k}.vtu")
            sets = "".join(f'<DataSet timestep="{0.5 * k}" file="frame{k}.vtu"/>' for k in range(11))
            listing = place / "all.pvd" if split == "train" else place.with_suffix(".pvd")  # ParaView's is next to it
            listing.write_text(f'<VTKFile type="Collection"><Collection>{sets}</Collection></VTKFile>')
    splits = open_path(tmp_path)
    problem = splits["train"].problem
    assert (problem.dt, problem.n_frames) == (0.5, 11) and splits["test"].problem.grid == problem.grid
    check(splits["test"], 1, 8, 11, 0.5)
    assert splits["test"].read(0, slice(10, 11)).t.tolist() == [[5.0]]
    stored = DataModule.from_folder(convert(tmp_path, tmp_path / "out", "runs"))
    assert np.array_equal(stored.sources["test"].read(1).u, splits["test"].read(1).u)


def test_series_of_xdmf(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # meshio writes the arrays of a series to the working directory
    for i in range(3):
        places, cells = mesh(i, 7 + i % 2)
        with meshio.xdmf.TimeSeriesWriter(tmp_path / f"run{i}.xdmf") as series:
            series.write_points_cells(places, cells)
            for k in range(4):
                series.write_data(0.25 * k, point_data=arrays(i, places, 0.25 * k))
    source = recognised(tmp_path).open(tmp_path)["all"]
    assert (source.problem.dt, source.problem.n_frames) == (0.25, 4)
    check(source, 1, 8, 4, 0.25)
    assert "4 frames, 0.25 apart" in str(inspect_path(tmp_path))


def test_damage_and_foreign_files_are_named(tmp_path):
    path, draw, refused = steady(tmp_path / "a", "vtu"), np.random.default_rng(0), 0
    file = path / "case2.vtu"
    whole = file.read_bytes()
    for _ in range(25):
        content = bytearray(whole)
        for place in draw.integers(30, len(content), 4):
            content[place] = int(draw.integers(256))
        file.write_bytes(content[: draw.integers(60, len(content))] if draw.random() < 0.3 else content)
        try:
            source = recognised(path).open(path)["all"]
            assert source.read(2).u.shape == (1, 1, 3, source.problem.grid.shape[0])
        except ValueError as error:
            refused += 1
            assert str(path) in str(error)
    assert refused > 10
    path = steady(tmp_path / "b", "xdmf")
    file = path / "case1.xdmf"
    file.write_text(file.read_text().replace("case1.h5:", "/etc/other.h5:"))
    with pytest.raises(ValueError, match=r"case1\.xdmf, but: it refers to \['/etc/other\.h5'\]"):
        recognised(path).open(path)


def test_points_that_single_precision_would_move_are_refused(tmp_path):
    """Metres of a map: at 5e6 the spacing of float32 is 0.5."""
    places, cells = mesh(0)
    places[:, 1] += 5e6
    meshio.Mesh(places, cells, point_data=arrays(0, places)).write(tmp_path / "case0.vtu")
    with pytest.raises(ValueError, match=r"found them up to 5e\+06 .*subtract the corner of the box"):
        open_path(tmp_path)
