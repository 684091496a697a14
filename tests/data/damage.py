"""Damages valid files at random, by seed, and reads them in a child process of limited memory and time."""

import multiprocessing
import resource
import shutil
import sys
import traceback
from pathlib import Path

import h5py
import numpy as np

from pdekit.data import probe
from pdekit.data.formats import open_source, recognised
from pdekit.data.formats.matlab import array_in
from pdekit.data.validate import faults

EXTRA_MEMORY = 512 << 20  # bytes that reading a file of a few hundred kB may take on top
SECONDS = 120
ODD = ("text", b"\xff\xfe", -1, 0, 10**12, np.nan, 1.5, [], [1, 2, 3], True, [b"\xff"], "é" * 40)


def cut_or_flip(path: Path, draw: np.random.Generator) -> None:
    """Cut the file, or change some of its bytes; metadata lie mostly in front."""
    content = bytearray(path.read_bytes())
    if draw.random() < 0.2:
        content = content[: draw.integers(len(content))]
    else:
        reach = len(content) if draw.random() < 0.5 else min(len(content), 4096)
        for place in draw.integers(reach, size=draw.integers(1, 9)):
            content[place] = draw.choice([0, 255, int(draw.integers(256))])
    path.write_bytes(content)


def rebuild(path: Path, draw: np.random.Generator) -> None:
    """Delete, replace, retype, reshape or redirect one part of an HDF5 file."""
    with h5py.File(path, "r+") as file:
        keys: list[str] = []
        file.visit(keys.append)
        key = keys[draw.integers(len(keys))]
        item, kind = file[key], draw.integers(9)
        holder = file if draw.random() < 0.2 else item
        if kind < 3 and len(holder.attrs):
            name = sorted(holder.attrs)[draw.integers(len(holder.attrs))]
            del holder.attrs[name]
            if kind:
                holder.attrs[name] = ODD[draw.integers(len(ODD))]
            return
        attributes = dict(item.attrs)
        stored = item[()] if isinstance(item, h5py.Dataset) else None
        del file[key]
        _replace(file, key, int(kind), stored, draw)
        if key in file and file.get(key, getlink=True).__class__ is h5py.HardLink:
            file[key].attrs.update(attributes)


def _replace(file: h5py.File, key: str, kind: int, stored, draw: np.random.Generator) -> None:
    numbers = isinstance(stored, np.ndarray) and stored.dtype.kind in "fiub"
    if kind == 4:
        file[key] = [h5py.SoftLink("/" + key), h5py.ExternalLink("/etc/hostname", "/"), h5py.SoftLink("/absent")][
            draw.integers(3)
        ]
    elif kind == 5:
        file.create_dataset(key, (1 << 20, 1 << 12), "f4", chunks=(1, 1 << 10) if draw.random() < 0.5 else None)
    elif kind == 6 and numbers:
        file.create_dataset(key, stored.shape, "f4", external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)])
    elif kind == 7 and numbers:
        file[key] = stored.T if draw.random() < 0.5 else stored[..., None]
    elif kind == 8 and numbers:
        file[key] = stored.astype(draw.choice(["S4", "i2", "c16", ">f8", "f2"]))


def read_hdf5(path: Path) -> None:
    """Open a file and read its first and last trajectory; what comes is as the problem says."""
    faults(path)
    source = open_source([path])
    for i in (0, source.n_trajectories - 1):
        batch, problem = source.read(i, slice(0, 2)), source.problem
        frames = len(range(problem.n_frames)[:2])
        assert batch.u.shape == (1, frames, problem.n_channels, *problem.grid.shape), batch.u.shape
        assert batch.t.shape == (1, frames)


def read_any(path: Path) -> None:
    """Open a file in the layout that it is recognised to have, and read a window of its first and last trajectory."""
    for source in recognised(path).open(path).values():
        for i in (0, source.n_trajectories - 1):
            batch, problem = source.read(i, slice(0, 2)), source.problem
            frames = len(range(problem.n_frames)[:2])
            assert batch.u.shape == (1, frames, problem.n_channels, *problem.grid.shape), batch.u.shape
            assert batch.t.shape == (1, frames)


def read_array(path: Path) -> None:
    """Read the array of a MATLAB file."""
    array_in(path)


def _survey(damaged: dict[int, Path], read, answers) -> None:
    with open("/proc/self/statm") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + EXTRA_MEMORY, used + EXTRA_MEMORY))
    if not probe._walked([str(path) for path in damaged.values()]):
        probe._walked = lambda paths: ""  # one process has looked at all of them; otherwise each file has its own
    for seed, path in damaged.items():
        answers.send((seed, "started"))
        try:
            read(path)
        except FileNotFoundError:
            continue
        except ValueError as error:
            if str(path) not in str(error):
                answers.send((seed, f"names no file: {error}"))
        except BaseException:
            answers.send((seed, traceback.format_exc(limit=-3)))
    answers.send((seed, "finished"))


def _damaged(original: Path, folder: Path, seed: int, damage) -> Path:
    """A damaged copy in a folder of its own: some layouts are spread over the files of a folder."""
    path = folder / str(seed) / f"damaged{original.suffix}"
    path.parent.mkdir()
    shutil.copy(original, path)
    damage(path, np.random.default_rng(seed))
    return path


def complaints(original: Path, folder: Path, seeds: range, damage, read) -> list[str]:
    """What goes wrong besides a ValueError with the file's name: other errors, a crash, a hang, much memory."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("fork")
    damaged = {seed: _damaged(original, folder, seed, damage) for seed in seeds}
    child = context.Process(target=_survey, args=(damaged, read, theirs))
    child.start()
    theirs.close()
    found, last = [], "nothing"
    try:
        while last != "finished":
            if not ours.poll(SECONDS):
                found.append(f"hang after {last}")
                break
            seed, last = ours.recv()
            if last not in ("started", "finished"):
                found.append(f"seed {seed}: {last}")
            elif last == "started":
                reached = seed
    except EOFError:
        child.join()
        found.append(f"seed {reached}: the process ended with {child.exitcode}")
    child.kill()
    child.join()
    return found


if __name__ == "__main__":  # python -m tests.data.damage FILE FOLDER FIRST STOP: what is found, seed by seed
    file, where, first, stop = sys.argv[1:]
    for change in (cut_or_flip, rebuild):
        print("\n".join(complaints(Path(file), Path(where), range(int(first), int(stop)), change, read_hdf5)))
