"""Inspection states what a file holds and what is wrong with it; conversion keeps every value, and goes on."""

import dataclasses
import shlex

import h5py
import numpy as np
import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser

from pdekit import convert as convert_command
from pdekit import inspect as inspect_command
from pdekit.data import conversion
from pdekit.data.conversion import convert
from pdekit.data.formats import open_path
from pdekit.data.inspection import inspect_path
from pdekit.data.module import SPLITS, DataModule
from pdekit.pdes.burgers import Burgers

from .formats import published_others, published_pdebench


def burgers(folder, *changes):
    """Waves in PDEBench's layout."""
    path = published_pdebench.tensor(folder / "1D_Burgers_Sols_Nu0.01.hdf5", points=32, Nu=0.01)
    with h5py.File(path, "r+") as file:
        x, t = file["x-coordinate"][()], file["t-coordinate"][:5][:, None]
        u = 2 + np.sin(np.pi * (x - t) + np.arange(20)[:, None, None])
        for place, value in changes:
            u[place] = value
        file["tensor"][...] = u
    return path


class TestInspection:
    def test_what_a_file_holds(self, tmp_path):
        path = burgers(tmp_path)
        found = inspect_path(path)
        assert found.layout.startswith("PDEBench") and found.counts == {"train": 17, "valid": 1, "test": 2}
        assert found.problem.pde == Burgers(viscosity=0.01 / np.pi) and found.read == 20 and found.faults == ()
        (u,) = found.ranges
        assert (u.least, u.most) == pytest.approx((1.0, 3.0), abs=0.01)
        assert (u.mean, u.deviation) == pytest.approx((2.0, 0.5**0.5), abs=1e-3)
        assert found.command == f"python -m pdekit.train path={path} name=1D_Burgers_Sols_Nu0.01 model=fno"

    @pytest.mark.parametrize(
        "changes, fault",
        [
            ([((5, 2, 3), np.nan), ((7, 0, 0), np.inf)], "2 values of u are NaN or Inf"),
            ([(slice(None), 3.0)], "u is constant"),
            ([((slice(None), slice(3, 5)), 0.0)], "frames of the first trajectory repeat"),
            ([(slice(None), np.arange(32.0))], "x is periodic, but values at its ends differ 31 times"),
        ],
    )
    def test_faults(self, tmp_path, changes, fault):
        assert any(fault in said for said in inspect_path(burgers(tmp_path, *changes)).faults)

    def test_units_inputs_and_parameters(self, tmp_path):
        published_others.named().to_netcdf(tmp_path / "era.nc", engine="h5netcdf")
        found = inspect_path(tmp_path / "era.nc")
        assert [(item.name, item.unit) for item in found.ranges] == [("T", "K"), ("q", "g/kg"), ("height", "m")]
        said = str(found)
        for part in (
            "5 frames, 21600 apart",
            "y: 6 nodes points from -50, length 100",
            "parameters    co2",
            " K, mean",
        ):
            assert part in said

    def test_the_command(self, tmp_path, capsys):
        inspect_command.main([str(burgers(tmp_path))])
        assert "train on it   python -m pdekit.train path=" in capsys.readouterr().out
        for arguments, said in (
            ([], "expected one PATH"),
            (["none.h5"], "expected a file or folder of data"),
        ):
            with pytest.raises(SystemExit, match=said):
                inspect_command.main(arguments)


class TestConversion:
    @pytest.mark.parametrize(
        "write",
        [
            lambda folder: burgers(folder),
            lambda folder: published_pdebench.darcy(folder / "darcy.hdf5"),
            lambda folder: published_pdebench.incompressible(folder / "ns.h5"),
            lambda folder: published_others.mat73(
                folder / "a.mat", u=np.random.default_rng(0).normal(size=(12, 8, 6, 5))
            ),
        ],
    )
    def test_nothing_is_lost(self, tmp_path, write):
        path = write(tmp_path)
        expected, found = open_path(path), DataModule.from_folder(convert(path, tmp_path / "out", "mine")).sources
        for split in SPLITS:
            assert found[split].problem == expected[split].problem
            assert found[split].n_trajectories == expected[split].n_trajectories
            for i in range(expected[split].n_trajectories):
                one, other = found[split].read(i), expected[split].read(i)
                for item in dataclasses.fields(one):
                    ours, theirs = getattr(one, item.name), getattr(other, item.name)
                    assert torch.equal(ours, theirs) if isinstance(ours, torch.Tensor) else ours == theirs, item.name

    def test_finished_splits_are_kept(self, tmp_path, monkeypatch):
        path, out = burgers(tmp_path), tmp_path / "out"
        seen = []

        def stop(split, done, total):
            seen.append((split, done, total))
            if split == "valid":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            convert(path, out, "mine", progress=stop)
        assert seen[-2:] == [("train", 17, 17), ("valid", 1, 1)]
        assert [file.name for file in sorted(out.rglob("*.*"))] == ["mine.hdf5"]
        before = (out / "data/train/mine.hdf5").stat().st_mtime_ns
        convert(path, out, "mine")
        assert (out / "data/train/mine.hdf5").stat().st_mtime_ns == before
        assert DataModule.from_folder(out).test.n_trajectories == 2
        with pytest.raises(ValueError, match=r"expected no other dataset at .*mine\.hdf5"):
            convert(published_pdebench.darcy(tmp_path / "d.hdf5"), out, "mine")

    def test_values_that_are_not_finite_stop_it(self, tmp_path):
        path = burgers(tmp_path, ((19, 1, 1), np.nan))
        with pytest.raises(ValueError, match="NaN or Inf in valid trajectory 0 of"):
            convert(path, tmp_path / "out")

    def test_the_command(self, tmp_path, capsys):
        convert_command.main([str(burgers(tmp_path)), str(tmp_path / "out"), "name=waves"])
        assert f"path={tmp_path / 'out'} name=waves model=fno" in capsys.readouterr().out
        assert conversion.Split(tmp_path / "out/data/test/waves.hdf5").documents["converted_from"]["split"] == "test"
        odd = tmp_path / "it's (mine), 2"
        convert_command.main([str(burgers(tmp_path)), str(odd)])
        (line,) = [line for line in capsys.readouterr().out.splitlines() if "pdekit.train" in line]
        typed = [word for word in shlex.split(line) if word.startswith("path=")]
        assert [OverridesParser.create().parse_override(word).value() for word in typed] == [str(odd)]
        for arguments, said in (
            (["a"], "expected PATH and OUT"),
            (["none.h5", "out"], "expected a file or folder"),
        ):
            with pytest.raises(SystemExit, match=said):
                convert_command.main(arguments)
