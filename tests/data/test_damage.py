"""Damaged files give an answer or a ValueError that names the file: no other error, crash, hang or much memory."""

import h5py
import numpy as np
import pytest
from scipy.io import loadmat, savemat

from pdekit.data import probe
from pdekit.data.formats import open_source
from pdekit.data.formats.matlab import array_in
from pdekit.data.hdf5 import names
from pdekit.data.store import Split
from pdekit.data.writer import write_split

from .conftest import flow_batch, flow_problem, mesh_batch, mesh_problem
from .damage import complaints, cut_or_flip, read_any, read_array, read_hdf5, rebuild
from .formats import published_others, published_pdebench, published_sets
from .test_the_well import write_well

FEW, MANY = range(20), [range(20, 48), range(48, 76)]


def ours(folder):
    problem = flow_problem()
    write_split(folder / "ours.hdf5", problem, flow_batch(problem), "flow")
    return folder / "ours.hdf5"


def mesh(folder):
    write_split(folder / "mesh.hdf5", mesh_problem(), mesh_batch(), "mesh")
    return folder / "mesh.hdf5"


def well(folder):
    write_well(folder / "well.hdf5")
    return folder / "well.hdf5"


def matlab_5(folder, compressed=True):
    field = np.arange(400.0).reshape(20, 20) * (1 + 2j)
    savemat(folder / "five.mat", {"export_Ez": field}, do_compression=compressed)
    return folder / "five.mat"


def matlab_5_plain(folder):
    return matlab_5(folder, compressed=False)


def matlab_4(folder):
    savemat(folder / "four.mat", {"export_T": np.arange(400.0).reshape(20, 20)}, format="4")
    return folder / "four.mat"


def matlab_7_3(folder):
    with h5py.File(folder / "seven.mat", "w", userblock_size=512) as file:
        file["export_T"] = np.arange(400.0).reshape(20, 20)
    return folder / "seven.mat"


def pdebench(folder):
    return published_pdebench.tensor(folder / "tensor.hdf5", n=4, beta=0.1)


def pdebench_seeds(folder):
    return published_pdebench.seeded(folder / "seeds.h5", n=4)


def arena(folder):
    return published_others.kuramoto_sivashinsky(folder / "ks.h5")


def torch_pairs(folder):
    return published_others.darcy_pt(folder / "darcy.pt")


def matlab_pairs(folder):
    return published_others.mat5(folder / "five.mat", coeff=np.ones((12, 9, 7)), sol=np.ones((12, 9, 7)))


def matlab_pairs_7_3(folder):
    return published_others.mat73(folder / "seven.mat", coeff=np.ones((12, 9, 7)), sol=np.ones((12, 9, 7)))


def netcdf(folder):
    published_others.named().to_netcdf(folder / "named.nc", engine="h5netcdf")
    return folder / "named.nc"


def numpy_archive(folder):
    np.savez(folder / "a.npz", u=np.ones((4, 3, 8)), x=np.arange(8) / 8, t=np.arange(3.0))
    return folder / "a.npz"


def smoke_and_captions(folder):
    return published_others.smoke(folder / "smoke.h5", texts=["one plume"] * 4)


def maxwell(folder):
    return published_others.maxwell(folder / "maxwell.h5", n=3)


def cylinder_flow(folder):
    return published_sets.text2pde(folder / "flow.h5")


def meshgraphnets(folder):
    return published_sets.meshgraphnets(folder / "flow.h5")


def poseidon(folder):
    return published_sets.poseidon(folder / "waves.nc", solution=np.ones((4, 3, 8, 6)), c=np.ones((4, 8, 6)))


def staggered(folder):
    return published_sets.staggered(folder / "a.hdf5-0000", *np.random.default_rng(0).normal(size=(2, 4, 8, 8)))


CASES = [(w, d, read_hdf5) for w in (ours, mesh, well) for d in (cut_or_flip, rebuild)]
CASES += [(w, cut_or_flip, read_array) for w in (matlab_5, matlab_5_plain, matlab_4, matlab_7_3)]
CASES += [(matlab_7_3, rebuild, read_array)]
CASES += [(w, d, read_any) for w in (pdebench, pdebench_seeds, arena) for d in (cut_or_flip, rebuild)]
CASES += [(w, cut_or_flip, read_any) for w in (torch_pairs, matlab_pairs, matlab_pairs_7_3, numpy_archive)]
NEW = (smoke_and_captions, maxwell, cylinder_flow, meshgraphnets, poseidon, staggered)
NEWER = [(w, d, read_any) for w in NEW for d in (cut_or_flip, rebuild)]

# among the first seeds of these are files on which libhdf5 hangs if no child process looks at them first
HANGING = [(netcdf, d, read_any) for d in (cut_or_flip, rebuild)]


@pytest.mark.parametrize("write, damage, read", CASES)
def test_damaged_files(tmp_path, write, damage, read):
    """Without the child process that looks at a file first: none of these seeds hangs libhdf5."""
    assert complaints(write(tmp_path), tmp_path, FEW, damage, read) == []


@pytest.mark.parametrize("write, damage, read", NEWER)
def test_damaged_files_of_single_sets(tmp_path, write, damage, read):
    assert complaints(write(tmp_path), tmp_path, range(20), damage, read) == []


@pytest.mark.slow
@pytest.mark.parametrize("seeds", MANY, ids=str)
@pytest.mark.parametrize("write, damage, read", CASES + HANGING)
def test_many_damaged_files(tmp_path, monkeypatch, child_process, write, damage, read, seeds):
    monkeypatch.setattr(probe, "SECONDS", 3.0)
    assert complaints(write(tmp_path), tmp_path, seeds, damage, read) == []


@pytest.mark.slow
def test_a_file_on_which_libhdf5_hangs_is_refused(tmp_path, monkeypatch, child_process):
    """Seed 74 damages the heap of a string attribute so that libhdf5 reads it forever."""
    monkeypatch.setattr(probe, "SECONDS", 3.0)
    path = well(tmp_path)
    cut_or_flip(path, np.random.default_rng(74))
    for read in (read_hdf5, lambda path: open_source([path])):
        with pytest.raises(ValueError, match=r"well\.hdf5.*libhdf5 made no progress for 3 s|found 1 fault"):
            read(path)


def replaced(path, key, **options):
    """A dataset of the same attributes in place of one of the file."""
    with h5py.File(path, "r+") as file:
        attributes = dict(file[key].attrs)
        del file[key]
        file.create_dataset(key, **options).attrs.update(attributes)


@pytest.mark.parametrize("write, key", [(ours, "t0_fields/density"), (well, "t0_fields/density")])
class TestOnePart:
    """The sentence names the file and the key."""

    def test_nothing_is_stored(self, tmp_path, write, key):
        path = write(tmp_path)
        with h5py.File(path) as file:
            shape = file[key].shape
        replaced(path, key, shape=shape, dtype="f4", chunks=shape)
        with pytest.raises(ValueError, match=rf"expected \d+ bytes .* in {key} of {path}, found 0 stored"):
            open_source([path])

    def test_a_huge_shape(self, tmp_path, write, key):
        path = write(tmp_path)
        replaced(path, key, shape=(1 << 20, 1 << 20), dtype="f4", chunks=(1, 1 << 10))
        with pytest.raises(ValueError, match=rf"{key} of "):
            open_source([path])

    def test_raw_storage_outside(self, tmp_path, write, key):
        path = write(tmp_path)
        with h5py.File(path) as file:
            shape = file[key].shape
        replaced(path, key, shape=shape, dtype="f4", external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)])
        with pytest.raises(ValueError, match=rf"the data itself in {key} of {path}, found a reference to other files"):
            open_source([path])

    @pytest.mark.parametrize("link", [h5py.ExternalLink("/etc/hostname", "/"), h5py.SoftLink("/t0_fields/density")])
    def test_links(self, tmp_path, write, key, link):
        path = write(tmp_path)
        with h5py.File(path, "r+") as file:
            del file[key]
            file[key] = link
        with pytest.raises(ValueError, match=rf"the data itself in {key} of {path}, found a (External|Soft)Link"):
            open_source([path])


@pytest.mark.parametrize(
    "key, shape", [("pdekit/mask", (5, 5, 6, 8)), ("dimensions/time", (5, 7)), ("pdekit/text", (4,))]
)
def test_shapes_of_mask_times_and_texts_are_checked(tmp_path, key, shape):
    path = ours(tmp_path)
    with h5py.File(path) as file:
        dtype = file[key].dtype
    replaced(path, key, data=np.full(shape, b"a" if key.endswith("text") else 1), dtype=dtype)
    with pytest.raises(ValueError, match=rf"expected {key} of shape .* found \({shape[0]},"):
        Split(path)


@pytest.mark.parametrize("write", [matlab_5, matlab_5_plain, matlab_4])
def test_matlab_files_as_scipy_reads_them(tmp_path, write):
    path = write(tmp_path)
    (expected,) = (value for name, value in loadmat(path).items() if not name.startswith("__"))
    found = array_in(path)
    assert found.dtype == expected.dtype and np.array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_matlab_types_as_scipy_reads_them(tmp_path, dtype):
    savemat(tmp_path / "a.mat", {"a": np.arange(24).reshape(2, 3, 4).astype(dtype), "b": "text", "c": {"d": 1}})
    expected, found = loadmat(tmp_path / "a.mat")["a"], array_in(tmp_path / "a.mat")
    assert found.dtype == expected.dtype and np.array_equal(found, expected)


def test_names_that_are_not_utf_8_are_refused(tmp_path):
    with h5py.File(tmp_path / "odd.hdf5", "w") as file:
        file.create_group(b"\xff\xfe")
    with h5py.File(tmp_path / "odd.hdf5") as file, pytest.raises(ValueError, match=r"names in UTF-8.*odd\.hdf5"):
        names(file)
