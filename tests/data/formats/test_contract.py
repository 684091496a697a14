"""Formats are recognised by content; splits are made the same each time; other packages are loaded only if trusted."""

from importlib.metadata import EntryPoint

import numpy as np
import pytest
import torch

from pdekit.data import formats
from pdekit.data.arrays import Arrays
from pdekit.data.formats.contract import Captioned, Format, Joined, Selected, all_splits

from ..conftest import counted_batch, line_problem
from .published_pdebench import tensor

MINE = Format("mine", lambda path: path.suffix == ".mine", lambda path: {"all": source(10)})


def source(n):
    problem = line_problem()
    return Arrays(problem, counted_batch(problem, n))


def numbers(part):
    """Which trajectories a split holds."""
    return [int(part.read(i).u[0, 0, 0, 0]) // 100 for i in range(part.n_trajectories)]


@pytest.mark.parametrize("test, expected", [("first", [0, 1]), ("last", [18, 19])])
def test_a_published_tenth(test, expected):
    splits = all_splits({"all": source(20)}, test)
    assert numbers(splits["test"]) == expected
    assert sorted(number for part in splits.values() for number in numbers(part)) == list(range(20))
    assert splits["test"].read(1).index.tolist() == [1]


def test_times_are_those_of_the_frames_that_are_read():
    late = Captioned(Joined([source(3), source(2).later(7.0)]), ["a"] * 5)
    chosen = Selected(late, [4, 0])
    for number in range(2):
        assert torch.equal(chosen.times(number, slice(1, 3)), chosen.read(number, slice(1, 3)).t)
    assert chosen.times(0).min() == 7 and chosen.times(1).min() == 0


def test_a_drawn_tenth_is_the_same_each_time():
    one, other = (all_splits({"all": source(30)}) for _ in range(2))
    assert numbers(one["test"]) == numbers(other["test"]) and len(numbers(one["test"])) == 3
    assert numbers(one["test"]) != [27, 28, 29]
    assert sorted(number for part in one.values() for number in numbers(part)) == list(range(30))


def test_published_splits_are_kept():
    splits = all_splits({"train": source(10), "test": source(4)})
    assert [len(numbers(splits[name])) for name in ("train", "valid", "test")] == [9, 1, 4]
    assert isinstance(splits["valid"], Selected) and numbers(splits["valid"]) == [9]
    with pytest.raises(ValueError, match=r"expected training and test trajectories, found \['train'\]"):
        all_splits({"train": source(3)})
    with pytest.raises(ValueError, match="three trajectories or more"):
        all_splits({"all": source(2)})


def test_an_unknown_file_is_described(tmp_path):
    np.save(tmp_path / "a.bin.npy", np.zeros(3))
    (tmp_path / "text.hdf5").write_text("no data")
    with pytest.raises(ValueError, match=r"found no HDF5 file in .*text\.hdf5; load the arrays yourself"):
        formats.recognised(tmp_path / "text.hdf5")
    with pytest.raises(ValueError, match=r"found \['a\.bin\.npy', 'text\.hdf5'\] in "):
        formats.recognised(tmp_path)
    with pytest.raises(FileNotFoundError, match="correct the path"):
        formats.recognised(tmp_path / "none")


def test_the_suffix_does_not_matter(tmp_path):
    assert formats.recognised(tensor(tmp_path / "data.bin", beta=0.1)).name.startswith("PDEBench")


def test_entry_points_are_loaded_only_if_trusted(tmp_path, monkeypatch):
    loaded = []

    class Point(EntryPoint):
        def load(self):
            loaded.append(self.name)
            return MINE

    points = [Point("mine", "mypackage.mine:MINE", formats.GROUP)]
    monkeypatch.setattr(formats, "entry_points", lambda group: points if group == formats.GROUP else [])
    (tmp_path / "a.mine").write_text("")
    with pytest.raises(ValueError, match="expected a layout that pdekit reads"):
        formats.recognised(tmp_path / "a.mine")
    assert loaded == []
    assert formats.open_path(tmp_path / "a.mine", trust=["mypackage"])["train"].n_trajectories == 8
    assert loaded == ["mine"]
