"""Flow past a cylinder of varied place, radius and speed in a channel, on a mesh of its own for each sample."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pdekit.cases.base import Case, Draw, Solved, SolvedNodes
from pdekit.cases.channel_flow import Channel, ChannelFlow, shortest_edge
from pdekit.fields import Points
from pdekit.mesh_order import corners_of, order_of
from pdekit.pdes.cylinder_flow import CylinderFlow

COURANT = 0.3
"""Time step over (shortest edge) / (order^2 mean velocity): 0.41 to 0.48 was stable on well resolved meshes, 0.42 was
not on a coarse one, 0.64 on none."""

OFF = 1e-4
"""Share of the radius by which nodes of the cylinder are moved into the fluid, to find their element in any mesh."""


@dataclass(frozen=True)
class CylinderCase(Case):
    """A channel of 1.6 m by 0.41 m with a round cylinder; a parabolic inflow, no slip, and a free outlet.

    Each flow begins as the Stokes flow of its mesh and is followed for ``warmup`` times the time in which it passes
    the cylinder. Then frames are stored, at the nodes of a finer mesh. Drawn uniformly: centre in 0.25 to 0.45 m and
    0.16 to 0.25 m, radius in 0.035 to 0.06 m, mean velocity in 0.06 to 0.2 m/s: Reynolds numbers of 40 to 228.

    Args:
        order: degree of the velocity; that of the pressure is one less.
        size, cylinder_size: size of the solver's elements [m], and of those at the cylinder.
        node_size, node_cylinder_size: the same of the finer mesh at whose nodes frames are stored.
        warmup: time before the first frame over 2 radius / u_inlet.
        viscosity: [m^2/s]. With the default the captions in the published words state what the published ones do for
            the same cylinder, see `pdekit.captions.cylinder`.
    """

    configurable = True

    order: int = 3
    size: float = 0.07
    cylinder_size: float = 0.02
    node_size: float = 0.04
    node_cylinder_size: float = 0.012
    warmup: float = 15.0
    viscosity: float = 1.0533e-4

    version: ClassVar[int] = 1
    params: ClassVar[tuple[str, ...]] = ("center_x", "center_y", "radius", "u_inlet")
    length: ClassVar[float] = 1.6
    height: ClassVar[float] = 0.41

    @property
    def pde(self) -> CylinderFlow:
        return CylinderFlow(viscosity=self.viscosity)

    @property
    def has_mask(self) -> bool:
        return False

    def draw(self, generator: np.random.Generator) -> Draw:
        low, high = (0.25, 0.16, 0.035, 0.06), (0.45, 0.25, 0.06, 0.2)
        return Draw(dict(zip(self.params, generator.uniform(low, high).tolist(), strict=True)))

    def channel(self, pde: CylinderFlow) -> Channel:
        """The channel of some parameters."""
        return Channel(self.length, self.height, (pde.center_x, pde.center_y), pde.radius)

    def solve(self, drawn: Draw, grid: Points, refinement: float = 1.0) -> Solved:
        pde = dataclasses.replace(self.pde, **drawn.params)
        channel = self.channel(pde)
        nodes = padded_nodes(channel.mesh(self.node_size, self.node_cylinder_size), grid)
        mesh = channel.mesh(self.size / refinement, self.cylinder_size / refinement)
        longest = COURANT * shortest_edge(mesh) / (self.order**2 * pde.u_inlet)
        steps = math.ceil(self.interval / longest)
        inflow = channel.inflow(mesh, pde.u_inlet)
        flow = ChannelFlow(mesh, self.order, pde.viscosity, self.interval / steps, lambda t: inflow)
        for _ in range(math.ceil(self.warmup * 2 * pde.radius / pde.u_inlet / flow.dt)):
            flow.advance()
        frames = []
        for n in range(self.n_frames):
            for _ in range(steps if n else 0):
                flow.advance()
            frames.append(_at_nodes(flow, channel, nodes))
        return Solved(np.stack(frames), np.zeros((0, *grid.shape)), nodes=nodes)

    @property
    def interval(self) -> float:
        """Time between frames [s]; raises ValueError if it is not set."""
        if self.dt is None:
            raise ValueError("expected a time between frames, got none; set case.dt")
        return self.dt


def padded_nodes(mesh: Any, grid: Points) -> SolvedNodes:
    """Return the nodes of a mesh in the order of pdekit, padded.

    Raises:
        ValueError: if the mesh has more nodes than the grid.
    """
    places = np.array([vertex.point for vertex in mesh.vertices])
    if len(places) > grid.max_points:
        raise ValueError(
            f"expected at most {grid.max_points} nodes, got a mesh with {len(places)}; set grid.max_points to more, or "
            "case.node_size and case.node_cylinder_size to larger ones"
        )
    order = order_of(places)
    corners = np.array([[vertex.nr for vertex in element.vertices] for element in mesh.Elements()])
    points = np.zeros((grid.max_points, 2))
    points[: len(places)] = places[order]
    there = np.arange(grid.max_points) < len(places)
    return SolvedNodes(points, there, corners_of(corners, order, (2 * grid.max_points, 3)))


def _at_nodes(flow: ChannelFlow, channel: Channel, nodes: SolvedNodes) -> np.ndarray:
    """Velocity and pressure at nodes, "channel point", zero in the padding."""
    places = nodes.points[nodes.there]
    from_centre = places - channel.centre
    distance = np.linalg.norm(from_centre, axis=1)
    on_cylinder = distance < (1 + OFF) * channel.radius
    moved = channel.centre + from_centre * ((1 + OFF) * channel.radius / distance)[:, None]
    inside = np.where(on_cylinder[:, None], moved, places)
    found = flow.values(inside[:, 0], inside[:, 1])
    found[:2, on_cylinder] = 0.0
    whole = np.zeros((len(found), len(nodes.there)))
    whole[:, nodes.there] = found
    return whole
