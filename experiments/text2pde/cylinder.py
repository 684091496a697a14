"""Do samples of the cylinder follow their prompts? Speed, Reynolds number, radius and place, read from the fields.

    OMP_NUM_THREADS=1 python experiments/text2pde/cylinder.py RUN [--guidance 1 2] [--picture PNG]

The captions of the test split are the prompts; all of them state the four numbers of the flow (data.text=full). A judge
reads the numbers back from flows on a lattice of points, and sees neither captions nor meshes:

    u_inlet = mean of velocity_x over the inlet,   (centre, radius) = kernel regression on fields / u_inlet

The regression is fitted to the simulations of the training split, and their mirror images. Its R^2 is measured on the
simulations of the test split first. Prints the tables of the README.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.interpolate import LinearNDInterpolator
from torch import Tensor

import pdekit
from pdekit.cases.cylinder import CylinderCase
from pdekit.data.module import DataModule
from pdekit.fields import Trajectory
from pdekit.recipes.generation import generate
from pdekit.recipes.instance import instance_from
from pdekit.runs import Run

NAMES = ("center_x", "center_y", "radius", "u_inlet")
LATTICE = (65, 21)
REACH = 0.8  # m: the wake beyond it says little about the cylinder
TOLERANCES = {"u_inlet": 0.1, "radius": 0.1, "reynolds_number": 0.1}  # relative
PLACE = 0.25  # of the diameter, of both coordinates
LENGTH, RIDGE = 1.0, 1e-3  # of the kernel, in median distances of the training flows, and its ridge


def lattice() -> Tensor:
    """Return the points of the judge, "point dim", [m]."""
    x, y = (torch.linspace(0, end, n) for end, n in zip((REACH, CylinderCase.height), LATTICE, strict=True))
    return torch.stack(torch.meshgrid(x, y, indexing="ij"), -1).flatten(0, 1)


def on_lattice(batch: Trajectory) -> Tensor:
    """Return the velocity of simulations at the lattice, linear between nodes: "sample time 2 point".

    The nodes of a cylinder have no velocity, so that there is none inside.
    """
    assert batch.points is not None and batch.point_mask is not None
    found = []
    for points, there, u in zip(batch.points, batch.point_mask > 0, batch.u, strict=True):
        values = u[:, :2, there].flatten(0, 1).T.numpy()
        at = LinearNDInterpolator(points[there].numpy(), values)(lattice().numpy())
        found.append(torch.from_numpy(np.nan_to_num(at)).T.reshape(len(u), 2, -1))  # corners that the hull misses
    return torch.stack(found)


def mirrored(u: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return flows on the lattice and their numbers, upside down."""
    turned = u.unflatten(-1, LATTICE).flip(-1).flatten(-2) * torch.tensor([1.0, -1.0])[:, None]
    other = values.clone()
    other[:, 1] = CylinderCase.height - values[:, 1]
    return turned, other


def inlet_speed(u: Tensor) -> Tensor:
    """Return the mean velocity at the inlet, over all frames: the integral of velocity_x over the height."""
    profile = u[:, :, 0].unflatten(-1, LATTICE)[:, :, 0].double()
    return torch.trapezoid(profile, dim=-1).mean(1) / (LATTICE[1] - 1)


@dataclass(frozen=True)
class Judge:
    """Kernel regression of centre and radius from fields over their inlet speed.

    Args:
        known: features of the training flows.
        weights: of each of them, for each number.
        mean: of the numbers.
        width: of the kernel.
    """

    known: Tensor
    weights: Tensor
    mean: Tensor
    width: float

    @staticmethod
    def fitted(u: Tensor, values: Tensor) -> Judge:
        """Fit to flows on the lattice and their centres and radii."""
        known, mean = features(u), values.mean(0)
        distances = torch.cdist(known, known)
        width = LENGTH * float(distances.median())
        kernel = torch.exp(-distances.square() / (2 * width**2)) + RIDGE * torch.eye(len(known)).double()
        return Judge(known, torch.linalg.solve(kernel, values - mean), mean, width)

    def __call__(self, u: Tensor) -> Tensor:
        """Return centre, radius, inlet speed and Reynolds number of flows on the lattice, "sample number"."""
        distances = torch.cdist(features(u), self.known)
        found = torch.exp(-distances.square() / (2 * self.width**2)) @ self.weights + self.mean
        return with_reynolds_number(torch.cat((found, inlet_speed(u)[:, None]), 1))


def features(u: Tensor) -> Tensor:
    """Return the mean fields over the frames, divided by the inlet speed."""
    return u.double().mean(1).flatten(1) / inlet_speed(u)[:, None]


def with_reynolds_number(values: Tensor) -> Tensor:
    """Return the numbers of `NAMES` and the Reynolds number."""
    return torch.cat((values, (2 * values[:, 2] * values[:, 3] / CylinderCase().viscosity)[:, None]), 1)


def agreement(found: Tensor, asked: Tensor) -> dict[str, Tensor]:
    """Return which flows agree with their prompt in each respect, and in all."""
    error = ((found - asked) / asked).abs()
    near = ((found[:, :2] - asked[:, :2]).abs() <= PLACE * 2 * asked[:, 2:3]).all(1)
    agreed = {"speed": error[:, 3] <= TOLERANCES["u_inlet"], "radius": error[:, 2] <= TOLERANCES["radius"]}
    agreed |= {"Reynolds number": error[:, 4] <= TOLERANCES["reynolds_number"], "place": near}
    return agreed | {"all": torch.stack(list(agreed.values())).all(0)}


def decoded(run: Run, batch: Trajectory, guidance: float | None) -> Tensor:
    """Return samples for the captions of a batch on the lattice, or its reconstructions if the guidance is None."""
    points = lattice().expand(len(batch), -1, -1)
    there = torch.ones(points.shape[:2])
    if guidance is None:
        auto = run.model.autoencoder
        inner = run.model.inner(batch)
        places = (auto.box.shares(points), there)
        with torch.no_grad():
            u = auto.decode(auto.encode(inner.u, *auto.places(inner)), inner.u.shape[1], *places)
        return auto.normaliser.decode(u)[:, :, :2]
    given = dataclasses.replace(batch.known(0), points=points, point_mask=there, cells=None)
    given = dataclasses.replace(given, u=given.u.new_zeros(len(batch), 0, batch.u.shape[2], points.shape[1]))
    model = run.model.with_generation(guidance=guidance).eval()
    return model.forecast(given, batch.t, generator=torch.Generator().manual_seed(0))[0][:, :, :2]


def print_r2(name: str, found: Tensor, true: Tensor) -> None:
    """Print R^2 of each number."""
    r2 = 1 - (found - true).square().mean(0) / true.var(0, correction=0)
    print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in r2.tolist()) + " |", flush=True)


def picture(flows: dict[str, Tensor], path: Path, rows: int = 4) -> None:
    """Draw velocity_x of the last frame of the first flows, one kind a column."""
    figure = Figure(figsize=(4 * len(flows), 1.9 * rows), dpi=80, layout="constrained")
    axes = figure.subplots(rows, len(flows), squeeze=False)
    for column, (name, u) in enumerate(flows.items()):
        for row, axis in enumerate(axes[:, column]):
            top = float(next(iter(flows.values()))[row, -1, 0].max())
            image = u[row, -1, 0].unflatten(-1, LATTICE).T
            axis.imshow(image, origin="lower", extent=(0, REACH, 0, CylinderCase.height), vmin=-0.2 * top, vmax=top)
            axis.set_axis_off()
        axes[0, column].set_title(name, fontsize=9)
    figure.savefig(path)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--guidance", type=float, nargs="+", default=[1.0, 2.0])
    parser.add_argument("--picture", type=Path, help="PNG of simulations and samples")
    arguments = parser.parse_args()
    run = pdekit.load(arguments.run)
    base = run.config.get("data_dir")
    data = DataModule.from_folder(generate(instance_from(run.config["data"], None), Path(base) if base else None))
    train, test = (part.trajectories(range(part.n_trajectories)) for part in (data.train, data.test))
    values, asked = train.params.double()[:, :3], with_reynolds_number(test.params.double())
    u, simulated = on_lattice(train), on_lattice(test)
    turned, other = mirrored(u, values)
    judge = Judge.fitted(torch.cat((u, turned)), torch.cat((values, other)))
    flows = {"simulations": simulated, "reconstructions": decoded(run, test, None)}
    for guidance in arguments.guidance:
        began = time.process_time()
        flows[f"samples, guidance {guidance:g}"] = decoded(run, test, guidance)
        print(f"guidance {guidance:g}: {(time.process_time() - began) / len(test):.3f} CPU s per sample")
    print(f"| R^2 | {' | '.join(NAMES)} | Reynolds number |\n|{'---|' * 6}")
    for name, fields in flows.items():
        print_r2(name, judge(fields), asked)
    print(f"| flows | prompts | {' | '.join(agreement(asked, asked))} |\n|{'---|' * 7}")
    for name, fields in flows.items():
        for which, wanted in (("own", asked), ("of another", asked.roll(-1, 0))):
            shares = agreement(judge(fields), wanted)
            print(
                f"| {name} | {which} | " + " | ".join(f"{part.double().mean():.0%}" for part in shares.values()) + " |"
            )
    if arguments.picture:
        names = ("simulations", "reconstructions", f"samples, guidance {arguments.guidance[-1]:g}")
        picture({name: flows[name] for name in names}, arguments.picture)


if __name__ == "__main__":
    main()
