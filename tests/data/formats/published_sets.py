"""Writers of the layouts of WDNO, Text2PDE, MeshGraphNets, Poseidon, TSM, RealPDEBench and APEBench: names, types and
axes as they are published; non-square, all values different."""

import json

import h5py
import numpy as np
import pyarrow as pa

from .published_pdebench import counted


def smoke_folders(folder, n=4, frames=5, shape=(8, 6)):
    """WDNO: float64 arrays (y, x, channel, time), and seven exits with the rest of the smoke."""
    for i in range(n):
        place = folder / f"sim_{i:06d}"
        place.mkdir(parents=True)
        for number, (name, channels) in enumerate((("Density", 1), ("Velocity", 2), ("Control", 2))):
            values = counted(shape[1], shape[0], channels, frames, dtype="f8") + 1e4 * number + 1e5 * i
            np.save(place / f"{name}.npy", values)
        np.save(place / "Smoke.npy", 1 + counted(frames, 8, dtype="f8"))
        np.save(place / "domain.npy", np.ones((1, 16, 16, 1)))
    return folder


def mesh(points=9, cells=4, seed=0):
    """Points without order, and triangles among them."""
    draw = np.random.default_rng(seed)
    places = draw.permutation(np.stack([np.linspace(0, 1.6, points), draw.uniform(0, 0.4, points)], 1))
    return places.astype("f4"), np.stack([draw.permutation(points)[:3] for _ in range(cells)]).astype("i4")


def text2pde(path, sizes=((9, 4), (7, 3), (8, 5), (9, 4)), frames=5):
    """Text2PDE: a group for each sample."""
    with h5py.File(path, "w") as file:
        for i, (points, cells) in enumerate(sizes):
            group = file.create_group(str(i))
            group["mesh_pos"], group["cells"] = mesh(points, cells, i)
            group["node_type"] = np.array([[0], [4], [5], [6]] * points)[:points]
            group["u"], group["v"] = counted(frames, points) + 100 * i, counted(frames, points) + 1e4
            group["pressure"] = (counted(frames, points) + 2e4)[..., None]
            about = group.create_group("metadata")
            about["center"], about["radius"], about["u_inlet"], about["v_inlet"] = [0.3, 0.2], 0.05 + i / 100, 1.5, 0.0
            about["domain_x"], about["domain_y"], about["t_end"] = [0.0, 1.6], [0.0, 0.4], 0.05
            about["reynolds_number"], about["prompt"] = 200.0 + i, f"Fluid passes over cylinder {i}."
    return path


def meshgraphnets(path, sizes=((9, 4), (7, 3), (8, 5)), frames=5):
    """MeshGraphNets in HDF5: everything is repeated for each frame."""
    with h5py.File(path, "w") as file:
        for i, (points, cells) in enumerate(sizes):
            group, (places, corners) = file.create_group(str(i)), mesh(points, cells, i)
            group["pos"], group["cells"] = np.tile(places, (frames, 1, 1)), np.tile(corners, (frames, 1, 1))
            group["node_type"] = np.tile(np.array([[0], [4], [5], [6]] * points)[:points], (frames, 1, 1))
            group["velocity"] = np.stack([counted(frames, points) + 100 * i, counted(frames, points) + 1e4], -1)
            group["pressure"] = (counted(frames, points) + 2e4)[..., None]
    return path


def poseidon(path, **arrays):
    """Poseidon: arrays and nothing else; sizes of dimensions as NetCDF keeps them, without coordinates."""
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
        file["x"] = np.zeros(next(iter(arrays.values())).shape[-2], ">f4")
        file["x"].make_scale("This is a netCDF dimension but not a netCDF variable.        8")
    return path


def helmholtz(path, n=4, shape=(8, 6)):
    with h5py.File(path, "w") as file:
        for i in range(n):
            group = file.create_group(f"Sample_{i}")
            group["a"], group["u"] = counted(*shape, dtype="f8") + 1e4 * i, counted(*shape, dtype="f8") + 1e5
            group["bc"] = 0.25 * i
    return path


def staggered(path, u, v, sizes=(4, 8)):
    """TSM: float64, components in front; smaller grids next to the largest one."""
    with h5py.File(path, "w") as file:
        for n in sizes:
            stride = u.shape[-1] // n
            some = np.stack([u, v])[..., ::stride, ::stride]
            file[f"full_prefix_{n}x{n}"], file[f"prefix_{n}x{n}"] = some, some[:, stride - 1 :: stride]
    return path


def rows(folder, splits=(("train", (0, 1, 2)), ("val", (3,)), ("test", (2, 4))), n=5, frames=6, shape=(8, 6)):
    """RealPDEBench: rows of Arrow, float32 as bytes with the axes time, y, x; windows of the splits by simulation."""
    kind = folder.name
    columns = {"sim_id": [f"{i}_0.5.h5" for i in range(n)]}
    for number, name in enumerate(("u", "v") if kind == "real" else ("u", "v", "p")):
        made = [counted(frames + i % 2, *shape[::-1]) + 1e4 * number + 1e5 * i for i in range(n)]
        columns[name] = pa.array([values.tobytes() for values in made], pa.binary())
    for name, size in zip(("shape_t", "shape_h", "shape_w"), (0, *shape[::-1]), strict=True):
        columns[name] = pa.array([size or frames + i % 2 for i in range(n)], pa.int32())
    folder.mkdir(parents=True)
    table = pa.table(columns)
    parts = {"data-00000-of-00002.arrow": table[:3], "data-00001-of-00002.arrow": table[3:]}
    for name, part in parts.items():
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(part)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in parts]}))
    features = {name: {"dtype": str(table.schema.field(name).type), "_type": "Value"} for name in columns}
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    for split, simulations in splits:
        index = [{"sim_id": columns["sim_id"][i], "time_id": t} for i in simulations for t in (0, 2)]
        (folder.parent / f"{split}_index_{kind}.json").write_text(json.dumps(index))
    return folder


def apebench(folder, name, train, test, **info):
    """APEBench: a description, and an array for each split."""
    about = {"num_spatial_dims": train.ndim - 3, "num_points": train.shape[-1], "num_channels": train.shape[2], **info}
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"name": name, "info": about}))
    np.save(folder / f"{name}_train.npy", train)
    np.save(folder / f"{name}_test.npy", test)
    return path
