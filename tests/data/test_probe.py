"""Metadata of foreign files are read in a child process first, once for each content."""

import signal
import subprocess

import h5py
import pytest

from pdekit.data import probe
from pdekit.data.hdf5 import FileFault
from pdekit.data.probe import check_readable

pytestmark = pytest.mark.usefixtures("child_process")


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as opened:
        opened["u"] = [1.0, 2.0]
        opened["u"].attrs["unit"] = "m/s"
        opened["again"] = opened["u"]  # a second link to one object
        opened["loop"] = opened["/"]
    return tmp_path / "a.hdf5"


def test_a_good_file_is_looked_at_once(file, monkeypatch):
    begun, original = [], subprocess.Popen
    monkeypatch.setattr(probe.subprocess, "Popen", lambda *a, **k: begun.append(a) or original(*a, **k))
    check_readable(file)
    check_readable(file)
    assert len(begun) == 1


def test_a_changed_file_is_looked_at_again(file, monkeypatch):
    check_readable(file)
    with h5py.File(file, "r+") as opened:
        opened["v"] = [0.0] * 4096
    monkeypatch.setattr(probe.subprocess, "Popen", None)
    with pytest.raises(TypeError):
        check_readable(file)


def test_a_hang_and_a_crash_are_one_sentence(file, monkeypatch):
    popen = subprocess.Popen
    for code, said in ((None, "made no progress for 0.5 s"), (int(signal.SIGSEGV), r"crashed \(signal 11\)")):
        probe._outcome.cache_clear()
        monkeypatch.setattr(probe, "SECONDS", 0.5 if code is None else 20.0)
        program = "import time; time.sleep(60)" if code is None else f"import os; os.kill(os.getpid(), {code})"

        def run(command, program=program, **options):
            return popen([command[0], "-c", program], **options)

        monkeypatch.setattr(probe.subprocess, "Popen", run)
        with pytest.raises(FileFault, match=rf"a\.hdf5, but libhdf5 {said}; fetch the damaged file again"):
            check_readable(file)
    probe._outcome.cache_clear()


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="correct the path"):
        check_readable(tmp_path / "none.hdf5")


def test_files_of_one_dataset_share_a_process(file, tmp_path, monkeypatch):
    other, started = tmp_path / "b.hdf5", []
    other.write_bytes(file.read_bytes())
    popen = subprocess.Popen
    monkeypatch.setattr(probe.subprocess, "Popen", lambda *given, **named: started.append(1) or popen(*given, **named))
    probe.check_all_readable([file, other, file])
    assert started == [1]
    monkeypatch.setattr(probe, "_walked", lambda paths: "crashed" if str(other) in paths else "")
    with pytest.raises(FileFault, match=r"b\.hdf5, but libhdf5 crashed"):
        probe.check_all_readable([file, other])
