"""The published files of Multiphysics Bench: orientation, complex parts, masks, splits, archives, damage."""

import gzip
import tarfile

import h5py
import numpy as np
import pytest
import torch

from pdekit.data.formats.matlab import array_in
from pdekit.data.formats.multiphysics_bench import splits_of
from pdekit.data.formats.multiphysics_layouts import LAYOUTS
from pdekit.data.inspection import inspect_path
from pdekit.data.published import open_published
from tests.data.published_multiphysics import COMPLEX, QUANTITIES, places, value, write

pytestmark = pytest.mark.filterwarnings("ignore:the test split:UserWarning")
NAMES = {layout.folder: name for name, layout in LAYOUTS.items()}


def expected(problem, index, frame=0):
    """Channels [x, y] as they should come out, without masks."""
    x, y = places(problem, 16)
    channels = []
    for quantity in list(QUANTITIES[problem])[1:]:
        array = value(problem, quantity, index, frame, x, y)
        if quantity == "T":
            array = array - (293.15 if problem == "TE_heat" else 283.15)
        channels += [array.real, array.imag] if quantity in COMPLEX else [array.real]
    return np.stack(channels)


@pytest.mark.parametrize("problem", NAMES)
def test_fields_stand_where_they_were_exported(tmp_path, problem):
    write(tmp_path, problem)
    write(tmp_path, problem, "testing", range(101, 103))
    splits = splits_of(tmp_path, NAMES[problem])
    assert [splits[name].n_trajectories for name in ("train", "valid", "test")] == [11, 1, 2]
    for split, trajectory, index in (("train", 3, 4), ("test", 1, 102)):
        source = splits[split]
        batch = source.read(trajectory)
        n_frames = 11 if problem == "Elder" else 1
        assert batch.u.shape == (1, n_frames, len(source.problem.fields), 16, 16)
        for frame in (0, n_frames - 1):
            wanted = expected(problem, index, frame)
            if batch.mask is not None:
                wanted = wanted * batch.mask[0].numpy()
            assert np.allclose(batch.u[0, frame], wanted, rtol=1e-6, atol=1e-5)


def test_the_grid_is_that_of_the_cell_centres():
    for problem, name in NAMES.items():
        layout = LAYOUTS[name]
        x, y = places(problem, 16)
        assert layout.extent[0] == pytest.approx((x[1, 0] - x[0, 0]) * 16)
        assert layout.extent[1] == pytest.approx((y[0, 1] - y[0, 0]) * 16)


def test_complex_parts_belong_together_and_units_are_ours(tmp_path):
    write(tmp_path, "TE_heat")
    problem = splits_of(tmp_path, "te_heat")["train"].problem
    assert [field.complex for field in problem.fields] == ["electric_field", "electric_field", None]
    assert problem.pde.fields == problem.fields and problem.pde.coeffs == problem.coeffs


def test_two_materials_in_one_map_are_taken_apart(tmp_path):
    write(tmp_path, "TE_heat")
    prefactor, conduction = splits_of(tmp_path, "te_heat")["train"].read(0).coeffs[0]
    x, y = (torch.from_numpy(axis) for axis in places("TE_heat", 16))
    inside = (x / 0.128 / 0.2) ** 2 + (y / 0.128 / 0.1) ** 2 < 1
    assert (prefactor[inside] == 2e11).all() and (prefactor[~inside] == 0).all()
    assert (conduction[inside] == 70).all() and torch.allclose(conduction[~inside], (12 + x / 0.128)[~inside].float())


def test_masks(tmp_path):
    for problem in ("E_flow", "VA", "NS_heat"):
        write(tmp_path, problem)
    hole = splits_of(tmp_path, "e_flow")["train"].read(0)
    assert ((hole.mask[0] > 0) == (hole.coeffs[0] > 0)).all() and 0.9 < hole.mask.mean() < 1
    disc = splits_of(tmp_path, "acoustic_structure")["train"].read(0).mask[0]
    assert (disc[:2] + disc[2:4] == 1).all() and disc[2].mean() == pytest.approx(np.pi * 5**2 / 40**2, rel=0.1)
    x, y = (torch.from_numpy(axis) for axis in places("NS_heat", 16))
    copper = splits_of(tmp_path, "ns_heat")["train"].read(0).mask[0]
    assert ((copper[0] > 0) == (torch.hypot(x - 0.01, y + 0.005) > 0.014)).all() and (copper[2] == 1).all()


def test_geometry_is_given_in_si_units(tmp_path):
    write(tmp_path, "TE_heat")
    source = splits_of(tmp_path, "te_heat")["train"]
    assert source.problem.params == ("ellipse_a", "ellipse_b", "ellipse_angle")
    assert torch.allclose(source.read(0).params, torch.tensor([[0.020, 0.012, np.pi / 6]]))


def test_text_tables_are_read_like_matlab_files(tmp_path):
    write(tmp_path / "text", "NS_heat", suffix=".csv")
    write(tmp_path / "matlab", "NS_heat")
    one, other = (splits_of(tmp_path / kind, "ns_heat")["train"].read(2) for kind in ("text", "matlab"))
    assert torch.equal(one.u, other.u) and torch.equal(one.coeffs, other.coeffs)


def test_matlab_7_3(tmp_path):
    values = np.arange(6.0).reshape(2, 3) * (1 + 2j)
    pairs = np.empty(values.T.shape, dtype=[("real", "<f8"), ("imag", "<f8")])
    pairs["real"], pairs["imag"] = values.T.real, values.T.imag
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["export_Ez"] = pairs
    with open(tmp_path / "a.mat", "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")
    assert np.array_equal(array_in(tmp_path / "a.mat"), values)


def test_a_source_that_lies_once_or_in_every_frame(tmp_path):
    """S_c/{i}.mat and S_c/{i}/0.mat have both been seen."""
    folder = write(tmp_path, "Elder", indices=range(1, 5))
    nested = splits_of(tmp_path, "elder")["train"].read(0).coeffs
    for index in range(1, 5):
        (folder / "S_c" / str(index) / "0.mat").rename(folder / "S_c" / f"{index}.mat")
    assert torch.equal(splits_of(tmp_path, "elder")["train"].read(0).coeffs, nested)
    assert splits_of(tmp_path, "elder")["train"].read(0, slice(3, 5)).t[0].tolist() == [3 * 63072000.0, 4 * 63072000.0]


def test_samples_are_those_that_are_complete(tmp_path):
    folder = write(tmp_path, "MHD", indices=[7, 10001, 3, 900, 12])
    (folder / "Jz" / "900.mat").unlink()
    with pytest.warns(UserWarning, match=r"1 of 5 samples in .*MHD lack a quantity .*first number 900"):
        splits = splits_of(tmp_path, "mhd")
    assert [splits[name].indices for name in ("train", "valid", "test")] == [(3, 7), (12,), (10001,)]


def test_the_broken_test_split_is_found_and_replaced(tmp_path):
    write(tmp_path, "TE_heat", indices=range(1, 31))
    write(tmp_path, "TE_heat", "testing", range(100001, 100004), leave_out=("mater",))
    with pytest.warns(UserWarning, match="0 of mater.*3 training samples are held out"):
        splits = splits_of(tmp_path, "te_heat")
    assert splits["train"].indices == tuple(range(1, 25)), "neither validation nor test is trained on"
    assert splits["valid"].indices == (25, 26, 27) and splits["test"].indices == (28, 29, 30)


def test_archives_are_unpacked_once_and_only_the_problem_asked_for(tmp_path):
    write(tmp_path / "tree", "E_flow")
    write(tmp_path / "tree", "MHD")
    write(tmp_path / "tree", "E_flow", "testing", range(101, 103))
    place = tmp_path / "published"
    place.mkdir()
    for split in ("training", "testing"):
        with tarfile.open(place / f"{split}.tar.gz", "w:gz") as archive:
            archive.add(tmp_path / "tree" / split, split)
    data = open_published(place / "training.tar.gz", "e_flow")
    assert data.test.n_trajectories == 2 and len(data.train) == 11
    assert [folder.name for folder in (place / "training").iterdir()] == ["E_flow"]
    assert torch.equal(data.train[0].u, open_published(tmp_path / "tree", "e_flow").train[0].u)
    (place / "training.tar.gz").write_bytes(b"gone")
    assert len(open_published(place, "e_flow").train) == 11, "what was unpacked is not unpacked again"


def test_an_archive_cannot_write_elsewhere(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    place = tmp_path / "published"
    place.mkdir()
    with tarfile.open(place / "training.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a.txt", "training/MHD/../../../escaped.txt")
    with pytest.raises((ValueError, FileNotFoundError)):
        open_published(place, "mhd")
    assert not (tmp_path / "escaped.txt").exists() and not (place / "training").exists()


@pytest.mark.parametrize("damage", ["header", "value", "end"])
def test_no_part_of_a_damaged_archive_is_taken_for_the_whole(tmp_path, damage):
    """tarfile ends at a damaged header without a word, and does not compare the checksum of gzip."""
    write(tmp_path / "tree", "MHD", n=4, indices=range(1, 5))
    place = tmp_path / "published"
    place.mkdir()
    with tarfile.open(place / "training.tar", "w") as archive:
        archive.add(tmp_path / "tree" / "training", "training")
        last = archive.getmembers()[-1]
    content = bytearray((place / "training.tar").read_bytes())
    (place / "training.tar").unlink()
    if damage == "header":
        content[last.offset + 148] ^= 1  # its checksum
    packed = bytearray(gzip.compress(bytes(content), 0))  # stored as it is
    if damage == "value":
        packed[packed.index(content[last.offset_data : last.offset_data + 64]) + 40] ^= 1
    (place / "training.tar.gz").write_bytes(packed[:-5] if damage == "end" else packed)
    with pytest.raises(ValueError, match=r"expected a whole tar archive, but .*training\.tar\.gz is damaged"):
        open_published(place, "mhd")
    assert not (place / "training").exists()


def test_a_folder_of_one_problem_is_inspected(tmp_path):
    write(tmp_path, "E_flow")
    write(tmp_path, "E_flow", "testing", range(101, 103))
    said = str(inspect_path(tmp_path))
    assert "Multiphysics Bench" in said and "2 test" in said and "ElectroOsmosis" in said
    write(tmp_path, "MHD")
    with pytest.raises(ValueError, match=r"expected one problem of Multiphysics Bench in .*, found e_flow, mhd"):
        inspect_path(tmp_path)


class TestMistakes:
    def test_a_damaged_file_is_named(self, tmp_path):
        folder = write(tmp_path, "MHD")
        (folder / "Jx" / "3.mat").write_bytes(b"not MATLAB")
        with pytest.raises(ValueError, match=r"Jx.3\.mat, but it cannot be read"):
            splits_of(tmp_path, "mhd")["train"].read(2)

    def test_a_frame_is_missing(self, tmp_path):
        folder = write(tmp_path, "Elder", indices=range(1, 5))
        (folder / "c_flow" / "2" / "5.mat").unlink()
        with pytest.raises(ValueError, match="expected c_flow of sample 2"):
            splits_of(tmp_path, "elder")["train"].read(1)

    def test_geometry_of_another_kind(self, tmp_path):
        folder = write(tmp_path, "NS_heat")
        (folder / "circlecsv" / "2.csv").write_text("1,2\n")
        with pytest.raises(ValueError, match=r"expected 3 numbers \(disc_x"):
            splits_of(tmp_path, "ns_heat")["train"].read(1)

    def test_nothing_is_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"found no such folder; unpack training\.tar\.gz"):
            splits_of(tmp_path, "mhd")
        with pytest.raises(FileNotFoundError, match="correct path="):
            open_published(tmp_path / "nowhere", "mhd")
        with pytest.raises(ValueError, match="for data=ks"):
            open_published(tmp_path, "ks")

    def test_two_arrays_in_a_file(self, tmp_path):
        from scipy.io import savemat

        savemat(tmp_path / "a.mat", {"a": np.eye(2), "b": np.eye(3)})
        with pytest.raises(ValueError, match=r"found \['a', 'b'\]"):
            array_in(tmp_path / "a.mat")


@pytest.mark.slow
def test_a_published_problem_is_trained_on_and_evaluated_like_a_generated_one(tmp_path, monkeypatch):
    import json

    import xarray as xr

    import pdekit
    from pdekit import train

    write(tmp_path / "published", "Elder", indices=range(1, 7))
    write(tmp_path / "published", "Elder", "testing", range(101, 103))
    monkeypatch.chdir(tmp_path)
    settings = ["training.steps=2", "loading.batch_size=2", "evaluation.sweep.sizes=[]", "evaluation.timing_batches=[]"]
    arguments = ["model=fno", "model.net.width=4", "model.net.modes=3", "data=elder", "path=published", *settings]
    monkeypatch.setattr("sys.argv", ["pdekit.train", *arguments])
    train.main()
    (run,) = (tmp_path / "runs").iterdir()
    with xr.open_dataset(run / "scores.nc", engine="h5netcdf") as scores:
        assert scores.sizes["sample"] == 2 and np.isfinite(scores["nrmse"].sel(model="fno")).all()
    assert pdekit.load(run).problem.grid.shape == (16, 16)
    assert "data" not in json.loads((run / "provenance.json").read_text())["seconds"], "nothing was generated"
