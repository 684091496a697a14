"""The folder of an evaluation: one at a time, and no partial file after an error of the disk."""

import errno
import multiprocessing
import os
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from pdekit.data.sink import Sink
from pdekit.evaluation.archive import Archive
from pdekit.evaluation.folder import FILES, writing_to


def write(folder, n=2000):
    """Two files side by side, as an evaluation writes them; the second one is opened first."""
    kept = Archive(folder / "forecasts.nc", {"x": np.arange(n)}, {})
    with kept, Archive(folder / "scores.nc", {"x": np.arange(n)}, {"text": "a" * n}) as scores:
        for name in ("u", "v"):
            kept.declare(name, ("x",), {})
            kept.write(name, (slice(None),), np.random.default_rng(0).normal(size=n))
            scores.put(name, ("x",), np.random.default_rng(1).normal(size=n))


def test_what_is_written_is_read(tmp_path):
    with writing_to(tmp_path):
        write(tmp_path)
    with xr.open_dataset(tmp_path / "scores.nc", engine="h5netcdf") as scores:
        np.testing.assert_array_equal(scores.v, np.random.default_rng(1).normal(size=2000))
    with xr.open_dataset(tmp_path / "forecasts.nc", engine="h5netcdf") as kept:
        np.testing.assert_array_equal(kept.u, np.random.default_rng(0).normal(size=2000).astype("f4"))


@pytest.mark.parametrize("n_writes", [0, 1, 3, 8, 15])
def test_a_full_disk_is_one_sentence_and_leaves_no_partial_file(tmp_path, monkeypatch, n_writes, capfd):
    write_whole, count = Sink._write_whole, iter(range(1000))

    def full(self, data):
        if next(count) >= n_writes:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_whole(self, data)

    monkeypatch.setattr(Sink, "_write_whole", full)
    (tmp_path / "scores.nc").write_bytes(b"of an earlier evaluation")
    with (
        pytest.raises(OSError, match=r"expected room for the evaluation in .* give folder=PATH on another disk"),
        writing_to(tmp_path),
    ):
        write(tmp_path)
    assert (tmp_path / "scores.nc").read_bytes() == b"of an earlier evaluation"
    assert {path.name for path in tmp_path.glob("[!.]*")} <= {"scores.nc"}
    assert capfd.readouterr().err == ""


def test_partial_files_of_a_killed_evaluation_are_removed(tmp_path):
    for name in (*FILES, "thesis.mp4"):  # the last one of a browser
        (tmp_path / f"{name}.part").touch()
    with writing_to(tmp_path):
        assert [path.name for path in tmp_path.glob("*.part")] == ["thesis.mp4.part"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small file system")
@pytest.mark.parametrize("options", ["size=8k", "size=64k", "size=64k,ro"])
def test_a_really_full_or_read_only_disk(tmp_path, options):
    """In a process of its own: HDF5 itself crashes at its end if it sees an error of the disk."""
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", small], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    code = "import sys, pathlib; from tests.evaluation.test_folder import write, writing_to\n"
    code += "folder = pathlib.Path(sys.argv[1])\nwith writing_to(folder): write(folder)"
    try:
        done = subprocess.run([sys.executable, "-c", code, small], capture_output=True, text=True)
        assert not list(small.glob("[!.]*"))
    finally:
        subprocess.run(["umount", small], check=True)
    wanted = "that can be written" if "ro" in options else "expected room for the evaluation"
    assert done.returncode == 1 and wanted in done.stderr.splitlines()[-1] and "HDF5" not in done.stderr


def hold(folder, ready, release):
    with writing_to(folder):
        ready.set()
        release.wait(60)


def test_two_evaluations_into_one_folder(tmp_path):
    """Another process holds the folder; a process that was killed does not."""
    context = multiprocessing.get_context("fork")
    ready, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path, ready, release))
    other.start()
    try:
        assert ready.wait(60)
        with pytest.raises(ValueError, match=r"expected one evaluation at a time .* give folder=PATH"):  # noqa: SIM117
            with writing_to(tmp_path):
                raise AssertionError("written by two")
    finally:
        other.kill()
        other.join()
    with writing_to(tmp_path):
        pass
