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
from unittest.mock import Mock

import h5py
import numpy as np
import pytest

from pdekit.data.module import DataModule
from pdekit.data.validate import faults
from pdekit.fields import Grid
from pdekit.pdes import Burgers, Diffusion, KuramotoSivashinsky
from pdekit.plain import to_plain
from pdekit.recipes import claims, generation, workers
from pdekit.recipes.generation import chunks, data_dir, folder_of, generate
from pdekit.recipes.initial import RandomFourierSeries
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
    assert [path.name for path in folder.iterdir()] == ["data"]
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


def test_chunks_are_fixed_by_the_recipe():
    assert chunks(recipe()) == [
        ("train", range(0, 2)),
        ("train", range(2, 4)),
        ("train", range(4, 5)),
        ("valid", range(0, 1)),
        ("test", range(0, 2)),
    ]


SMALL = recipe(pde=Diffusion())  # the least work


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The contents of the small dataset, made by one process in one go."""
    return contents(make(SMALL, tmp_path_factory.mktemp("whole")))


def test_an_interruption_at_any_chunk_changes_nothing(tmp_path, monkeypatch, whole):
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
def test_an_interruption_while_merging_changes_nothing(tmp_path, monkeypatch, whole):
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
def test_kill_9_leaves_nothing_corrupt_or_twice_and_workers_do_not_matter(tmp_path, monkeypatch):
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
    workers, before, original = children(process.pid), len(list(folder.glob("work/*.npz"))), generation.make_chunk
    held = list(folder.glob("work/*.claim-0"))

    def killing(recipe, split, numbers, *rest):
        if process.poll() is None:  # this process shares the work now
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            while any(alive(worker) for worker in workers):  # they end with the process that started them
                assert time.monotonic() < deadline
                time.sleep(0.05)
        original(recipe, split, numbers, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(generation, "make_chunk", killing)
        shared = make(made, tmp_path / "killed")
    assert workers and held and 1 <= before < 9
    assert contents(shared) == contents(make(made, tmp_path / "whole"))
    data = DataModule.from_folder(shared)
    data.set_window(1, "all")
    first = [batch.u[0, 0, 0, 0].item() for batch in data.train]
    assert len(set(first)) == 14  # none twice


def children(pid):
    listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(line) for line in listing.split()]


def alive(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


def test_two_processes_share_the_chunks_and_make_none_twice(tmp_path, monkeypatch, whole):
    made, together, said = [], threading.Barrier(2, timeout=60), []
    original = generation.make_chunk

    def noted(recipe, split, numbers, *rest):
        if len(made) < 2:
            together.wait()  # both have a chunk at the same time
        made.append((split, numbers))
        original(recipe, split, numbers, *rest)

    monkeypatch.setattr(generation, "make_chunk", noted)
    threads = [
        threading.Thread(target=generate, args=(SMALL, tmp_path / "shared"), kwargs={"progress": False, "say": say})
        for say in (said.append, said.append)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    folder = folder_of(SMALL, tmp_path / "shared")
    assert sorted(map(str, made)) == sorted(map(str, chunks(SMALL)))
    assert contents(folder) == whole and [path.name for path in folder.iterdir()] == ["data"]
    assert sum("generated line" in sentence for sentence in said) == 2
    assert sum("completed by another process" in sentence for sentence in said) == 1


def test_the_time_of_all_processes_is_recorded(tmp_path, monkeypatch):
    """Also of those that were interrupted, while they made chunks or merged them."""
    clock = iter(range(10**6))
    monkeypatch.setattr(generation.time, "monotonic", lambda: float(next(clock)))
    count, original = iter(range(99)), generation.SplitWriter.put

    def interrupted(self, batch, first):
        if next(count) == 3:  # after the chunks of the training split are gone
            raise KeyboardInterrupt
        original(self, batch, first)

    with monkeypatch.context() as patch:
        patch.setattr(generation.SplitWriter, "put", interrupted)
        with pytest.raises(KeyboardInterrupt):
            make(SMALL, tmp_path)
    folder = make(SMALL, tmp_path)
    for split in SPLITS:
        with h5py.File(folder / "data" / split / "line.hdf5") as file:
            assert json.loads(file["pdekit/provenance"].asstr()[()])["seconds"] == len(chunks(SMALL)) + 1


def test_a_dataset_that_an_older_version_began_is_refused_in_a_sentence(tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(generation, "_merge", Mock(side_effect=KeyboardInterrupt))
        make(SMALL, tmp_path)
    (chunk, *_) = (folder_of(SMALL, tmp_path) / "work").glob("train-*.npz")
    with np.load(chunk) as file:
        parts = {name: file[name] for name in file.files if name != generation.SECONDS}
    np.savez(chunk, **parts)
    with pytest.raises(ValueError, match=r"found a piece of an older version of pdekit without; remove this folder"):
        make(SMALL, tmp_path)


def test_what_a_killed_merge_left_does_not_reach_the_dataset(tmp_path, whole):
    left = folder_of(SMALL, tmp_path) / "work" / "data" / "train" / ".line.hdf5.0.part"
    left.parent.mkdir(parents=True)
    left.write_text("half of it")
    assert contents(make(SMALL, tmp_path)) == whole


def test_a_merge_that_was_suspended_gives_way(tmp_path, monkeypatch, whole):
    monkeypatch.setattr(claims, "STALE", 0.0)
    original, said = generation.SplitWriter.put, []

    def suspended(self, batch, first):
        if not said:
            said.append("the other one begins")
            generate(SMALL, tmp_path, progress=False, say=said.append)
        original(self, batch, first)

    monkeypatch.setattr(generation.SplitWriter, "put", suspended)
    folder = generate(SMALL, tmp_path, progress=False, say=said.append)
    assert "completed by another" not in said[-2] and "completed by another process" in said[-1]
    assert contents(folder) == whole


def test_a_full_disk_keeps_finished_chunks(tmp_path, monkeypatch, whole):
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
