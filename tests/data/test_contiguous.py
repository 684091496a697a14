"""Windows read from their place in the file are those that the library reads; a shortened file is an error."""

import h5py
import numpy as np
import pytest

from pdekit.data.contiguous import ContiguousArray, first_byte


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["u"] = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(">f8")
        file.create_dataset("chunked", data=np.ones((4, 5)), chunks=(2, 5))
        file.create_dataset("empty", (4, 5), "f4")
        file["flags"] = np.ones(3, bool)
    return tmp_path / "a.h5"


ONE_RUN = [(2, slice(1, 3)), (3, slice(None)), (1,), 0, (2, slice(4, 9)), (0, slice(3, 3)), (1, 2)]
OTHER = [(1, slice(0, 5, 2)), (slice(None), slice(1, 3)), (-1, slice(0, 2)), (2, slice(None), slice(1, 4))]


@pytest.mark.parametrize("where", ONE_RUN + OTHER)
def test_windows(file, where):
    with h5py.File(file) as opened:
        array = ContiguousArray(opened["u"], first_byte(opened["u"]), file)
        found, expected = array[where], opened["u"][where]
        assert found.dtype == expected.dtype and np.array_equal(found, expected)


def test_what_is_left_to_the_library(file, tmp_path):
    with h5py.File(file) as opened:
        assert [first_byte(opened[key]) for key in ("chunked", "empty", "flags")] == [None] * 3
        with pytest.raises((IndexError, ValueError)):
            ContiguousArray(opened["u"], first_byte(opened["u"]), file)[4, 0:2]
    with h5py.File(tmp_path / "matlab.mat", "w", userblock_size=512) as opened:
        opened["u"] = [1.0]
        assert first_byte(opened["u"]) is None


def test_a_shortened_file_is_an_error(file):
    with h5py.File(file) as opened:
        place = first_byte(opened["u"])
        array = ContiguousArray(opened["u"], place, file)
        with open(file, "r+b") as raw:
            raw.truncate(place + 100)
        assert array[0, slice(0, 2)].shape == (2, 6)
        with pytest.raises(OSError, match="the file became shorter"):
            array[3]
