"""A dataset is the same whatever happens while it is made: workers, kill -9, a full disk."""

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time

import filelock
import h5py
import numpy as np
import pytest

from pdekit.data.module import DataModule
from pdekit.data.validate import faults
from pdekit.fields import Grid
from pdekit.pdes import Burgers, Diffusion, KuramotoSivashinsky
from pdekit.plain import to_plain
from pdekit.recipes import generation, workers
from pdekit.recipes.generation import chunks, data_dir, folder_of, generate
from pdekit.recipes.initial import RandomFourierSeries
from pdekit.recipes.resolved import TAIL, unresolved
from pdekit.recipes.trajectories import Recipe, Uniform
from tests.recipes.test_trajectories import recipe

SPLITS = ("train", "valid", "test")


def quiet(*_):
    pass


@pytest.fixture(autouse=True)
def cheap_record(monkeypatch):
    """Asking git and the machine takes longer than making these small datasets."""
    monkeypatch.setattr(generation, "provenance", lambda **known: known)


def make(made, base, **options):
    return generate(made, base, progress=False, say=quiet, **options)


def contents(folder):
    """Every dataset and attribute of all files but the record of when and how they were made."""
    found = {}
    for split in SPLITS:
        (path,) = (folder / "data" / split).iterdir()
        with h5py.File(path) as file:
            file.visititems(
                lambda name, item, split=split: found.update(
                    {
                        (split, name): (
                            item[()].tobytes() if item.dtype.kind != "O" else str(item[()]),
                            str(sorted((key, str(value)) for key, value in item.attrs.items())),
                        )
                    }
                    if isinstance(item, h5py.Dataset) and name != "pdekit/provenance"
                    else {}
                )
            )
    return found


def test_a_dataset_is_whole_and_sound(tmp_path):
    made = recipe(params={"viscosity": Uniform(0.05, 0.2)}, text=True)
    folder = make(made, tmp_path)
    assert folder == tmp_path / "line" / made.hash
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "data"]
    for split in SPLITS:
        assert faults(folder / "data" / split / "line.hdf5") == []
    data = DataModule.from_folder(folder)
    assert data.problem == made.problem("train")
    assert [w.n_trajectories for w in (data.train, data.valid, data.test)] == [5, 1, 2]
    documents = data.train.source.documents
    assert documents["recipe"] == to_plain(made) and documents["versions"]["pdekit.pdes.burgers.Burgers"] == 1
    assert documents["provenance"]["workers"] == 1 and documents["provenance"]["seconds"] >= 0
    check = documents["self_convergence"]
    assert check["trajectories"] == 4 and 0 < np.max(check["error_step"]) < 1e-3


def test_it_is_made_once(tmp_path, monkeypatch):
    folder = make(recipe(), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.hdf5")}
    said = []
    monkeypatch.setattr(Recipe, "simulate", None)
    assert generate(recipe(), tmp_path, progress=False, say=said.append) == folder
    assert "exists already" in said[0] and {path: path.stat().st_mtime_ns for path in before} == before


def test_a_reference_that_is_not_resolved_is_said_to_be_each_time(tmp_path):
    """A front of a viscosity that the grid does not resolve; the file says so when it is made and when it is used."""
    said = []
    front = recipe(pde=Burgers(viscosity=1e-5), dt=0.5, n_frames={"train": 2, "valid": 2, "test": 9})
    for _ in range(2):
        generate(front, tmp_path, progress=False, say=said.append)
    assert said[1] == said[3] and len(said) == 4
    assert said[1].startswith("warning: the reference of line is not resolved: ") and "; choose " in said[1]
    said.clear()
    generate(recipe(), tmp_path, progress=False, say=said.append)
    assert len(said) == 1


@pytest.mark.parametrize(
    ("step", "space", "exponent", "said"),
    [
        ([0.0, 0.01, 0.05], [0.0, 0.02, 0.09], None, ""),
        (
            [0.0, 0.2, 1.3],
            [0.0, 0.01, 0.2],
            None,
            "half the step changes it by up to 130 %, and by more than 10 % from",
        ),
        ([0.0, 0.0, 0.2], [0.0, 0.2, 1.15], None, "a finer grid changes it by up to 115 %, and by more than 10 % from"),
        ([0.0, 0.05, 0.2], [0.0, 0.01, 1.15], 0.5, ""),  # chaotic, and in agreement for a Lyapunov time of 2
        ([0.0, 0.05, 0.2], [0.0, 0.2, 1.15], 0.5, "from t = 1.5 on"),  # chaotic, but too soon
        ([0.0, 0.05, float("nan")], [0.0, 0.2, 0.3], None, "half the step changes it"),
    ],
)
def test_which_reference_is_not_resolved(step, space, exponent, said):
    check = {"time": [0.0, 1.5, 3.0], "error_step": [step] * 3, "error_space": [space] * 3}
    found = unresolved(check, "front", exponent)
    assert said in found and bool(found) == bool(said)


def test_the_remedy_fits_the_equation_and_the_solver():
    check = {"time": [0.0, 1.0], "error_space": [[0.0, 0.5]], "solver_shape": [64]}
    assert unresolved(check, "kdv").endswith("choose a finer solver_shape or grid, or do not use times beyond")
    assert "or a larger viscosity, or do not" in unresolved(check, "front", smoothing=Burgers.smoothing)
    solved = {"time": [0.0], "error_space": [[0.5]], "refinement": 1.0}
    assert unresolved(solved, "plate").endswith("choose a finer mesh of the case")


def test_energy_at_the_smallest_scales_is_announced():
    check = {"time": [0.0, 1.5], "error_step": [[0.0, 0.01]], "error_space": [[0.0, 0.01]]}
    assert not unresolved({**check, "spectrum_tail": [[1e-6, 0.019]]}, "front")
    found = unresolved({**check, "spectrum_tail": [[1e-6, 0.31]]}, "front", 5.0, ("viscosity",))
    assert found == (
        "the reference of front is not resolved: from t = 1.5 on, up to 31 % of its energy lies at the smallest scales "
        "of the solver's grid (expected less than 2 %); choose a finer solver_shape or grid, or a larger viscosity, or "
        "do not use times beyond"
    )


@pytest.mark.slow
def test_a_front_that_keeps_its_energy_has_a_tail():
    """Without viscosity to speak of, truncated Burgers conserves energy, where the shock should dissipate it."""
    long = {"train": 2, "valid": 2, "test": 30}
    front = recipe(pde=Burgers(viscosity=1e-5), substeps=10, n_frames=long)
    batch = front.simulate("test", [0])
    energy = batch.u.double().square().mean((2, 3))[0]
    assert float(energy[-1] / energy[0]) > 0.9
    thick = dataclasses.replace(front, pde=Burgers(viscosity=0.1))
    tails = [np.max(made.check()["spectrum_tail"]) for made in (front, thick)]
    assert tails[0] > 10 * TAIL and tails[1] < TAIL
    assert "smallest scales" in unresolved({"time": [0.0], "error_space": [[0.0]], "spectrum_tail": [[tails[0]]]}, "a")


def test_a_steady_reference_has_no_time():
    found = unresolved({"time": [0.0], "error_space": [[0.1], [0.3], [0.2]]}, "darcy")
    assert found.startswith("the reference of darcy is not resolved: a finer grid changes it by up to 20 %; choose ")


def test_chunks_are_fixed_by_the_recipe():
    assert chunks(recipe()) == [
        ("train", range(0, 2)),
        ("train", range(2, 4)),
        ("train", range(4, 5)),
        ("valid", range(0, 1)),
        ("test", range(0, 2)),
    ]


SMALL = recipe(pde=Diffusion())  # the least work


def test_an_interruption_at_any_chunk_changes_nothing(tmp_path, monkeypatch):
    whole = contents(make(SMALL, tmp_path / "whole"))
    original = generation.make_chunk
    for stop in range(5):
        count = iter(range(99))

        def interrupted(*arguments, stop=stop, count=count):
            if next(count) == stop:
                raise KeyboardInterrupt
            original(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(generation, "make_chunk", interrupted)
            with pytest.raises(KeyboardInterrupt):
                make(SMALL, tmp_path / str(stop))
        work = folder_of(SMALL, tmp_path / str(stop)) / "work"
        assert len(list(work.glob("*.npz"))) == stop
        assert contents(make(SMALL, tmp_path / str(stop))) == whole


@pytest.mark.slow
def test_an_interruption_while_merging_changes_nothing(tmp_path, monkeypatch):
    whole = contents(make(SMALL, tmp_path / "whole"))
    for stop in range(5):
        count = iter(range(99))
        original = generation.SplitWriter.put

        def interrupted(self, batch, first, stop=stop, count=count, original=original):
            if next(count) == stop:
                raise KeyboardInterrupt
            original(self, batch, first)

        with monkeypatch.context() as patch:
            patch.setattr(generation.SplitWriter, "put", interrupted)
            with pytest.raises(KeyboardInterrupt):
                make(SMALL, tmp_path / str(stop))
        folder = folder_of(SMALL, tmp_path / str(stop))
        assert not (folder / "data").exists()
        assert contents(make(SMALL, tmp_path / str(stop))) == whole


SCRIPT = """
import json, sys
from pathlib import Path
from pdekit.recipes.generation import generate
from pdekit.plain import from_plain
if __name__ == "__main__":
    generate(from_plain(json.loads(sys.argv[1])), Path(sys.argv[2]), workers=2, progress=False)
"""


@pytest.mark.slow
def test_kill_9_leaves_nothing_corrupt_or_twice_and_workers_do_not_matter(tmp_path):
    made = recipe(
        pde=KuramotoSivashinsky(),
        grid=Grid((256,), (64.0,)),
        dt=0.1,
        warmup=20.0,
        substeps=2,
        n_trajectories={"train": 14, "valid": 1, "test": 1},
    )
    folder = folder_of(made, tmp_path / "killed")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen([sys.executable, script, json.dumps(to_plain(made)), tmp_path / "killed"])
    deadline = time.monotonic() + 120
    while not list(folder.glob("work/*.npz")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    workers = children(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert workers and not (folder / "data").exists()
    while any(alive(worker) for worker in workers):  # they end with the process that started them
        assert time.monotonic() < deadline
        time.sleep(0.05)
    n_before = len(list(folder.glob("work/*.npz")))
    assert 1 <= n_before < 9
    resumed = make(made, tmp_path / "killed")
    assert contents(resumed) == contents(make(made, tmp_path / "whole"))
    first = [batch.u[0, 0, 0, 0].item() for batch in DataModule.from_folder(resumed).train.with_window(1, "all")]
    assert len(set(first)) == 14  # none twice


def children(pid):
    listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(line) for line in listing.split()]


def alive(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


def test_two_processes_do_not_make_one_dataset(tmp_path):
    folder = folder_of(recipe(), tmp_path)
    folder.mkdir(parents=True)
    held, release = threading.Event(), threading.Event()

    def other():
        with filelock.FileLock(folder / ".lock"):
            held.set()
            release.wait()

    thread = threading.Thread(target=other)
    thread.start()
    held.wait()
    said = []

    def say(sentence):
        said.append(sentence)
        release.set()  # the other one has finished, or was killed

    generate(recipe(), tmp_path, progress=False, say=say)
    thread.join()
    assert "another process generates line" in said[0] and "generated line" in said[1]
    with filelock.FileLock(folder / ".lock").acquire(timeout=0):
        pass  # the lock is free again


def test_a_full_disk_keeps_finished_chunks(tmp_path, monkeypatch):
    whole = contents(make(SMALL, tmp_path / "whole"))
    original, count = np.savez, iter(range(99))

    def full(file, **parts):
        if next(count) == 2:
            file.write(b"half of it")
            raise OSError(errno.ENOSPC, "No space left on device")
        original(file, **parts)

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        with pytest.raises(OSError, match="the disk is full; free some space, or set PDEKIT_DATA"):
            make(SMALL, tmp_path / "full")
    work = folder_of(SMALL, tmp_path / "full") / "work"
    assert sorted(path.name for path in work.iterdir()) == ["train-000000.npz", "train-000002.npz"]
    assert contents(make(SMALL, tmp_path / "full")) == whole


def test_too_little_room_is_said_before_the_work(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(generation.shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(Recipe, "simulate", None)
    with pytest.raises(OSError, match="MB of free space for line"):
        make(recipe(), tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small file system")
def test_a_really_full_disk(tmp_path, monkeypatch):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        monkeypatch.setattr(generation, "_check_room", quiet)
        made = recipe(n_trajectories={"train": 200, "valid": 1, "test": 1}, chunk=20)
        with pytest.raises(OSError, match="the disk is full"):
            make(made, small)
        assert not list(small.rglob("*.part")) and not list(small.rglob("*.hdf5"))
        assert len(list(small.rglob("*.npz"))) >= 1
    finally:
        subprocess.run(["umount", small], check=True)


def test_an_error_in_a_worker_reaches_the_one_who_asked(tmp_path):
    made = recipe(pde=KuramotoSivashinsky(), initial=RandomFourierSeries(n_terms=4, max_mode=3, amplitude=1e9))
    with pytest.raises(ValueError, match="NaN or Inf in trajectory 0 of"):
        make(made, tmp_path)
    with pytest.raises(ValueError, match="expected workers >= 1"):
        make(dataclasses.replace(made, seed=1), tmp_path, workers=0)


def test_a_bar_shows_the_work_and_the_time_left(capsys):
    def half(tick):
        tick(5)

    workers.run_tasks([workers.Task(half, ()), workers.Task(half, ())], 1, True, "generating x", total=20, done=10)
    shown = capsys.readouterr().out
    assert "generating x" in shown and "100%" in shown and "left" in shown


def test_the_data_directory(monkeypatch, tmp_path):
    monkeypatch.delenv("PDEKIT_DATA", raising=False)
    assert str(data_dir()) == "datasets"
    monkeypatch.setenv("PDEKIT_DATA", str(tmp_path))
    assert folder_of(recipe()) == tmp_path / "line" / recipe().hash
