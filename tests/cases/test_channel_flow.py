"""Flow in a channel: the order of the steps, a steady flow and its forces as published, and the nodes of the sides."""

from itertools import pairwise
from math import exp, log2, pi

import numpy as np
import pytest

from pdekit.cases.channel_flow import Channel, ChannelFlow, shortest_edge

ng = pytest.importorskip("ngsolve")

DRIFT = (0.4, 0.3)
VISCOSITY = 0.05
SQUARE = "bottom|right|top|left"
DFG = Channel(2.2, 0.41, (0.2, 0.2), 0.05)


def drifting_vortices(t):
    """Vortices of Taylor and Green (1937) that decay while a uniform flow carries them: exact for all times."""
    x, y = pi * (ng.x - DRIFT[0] * t), pi * (ng.y - DRIFT[1] * t)
    decay = exp(-2 * pi**2 * VISCOSITY * t)
    return ng.CF((DRIFT[0] - decay * ng.cos(x) * ng.sin(y), DRIFT[1] + decay * ng.sin(x) * ng.cos(y)))


def error_after(steps, end=0.5):
    from netgen.geom2d import unit_square

    mesh = ng.Mesh(unit_square.GenerateMesh(maxh=0.4))
    flow = ChannelFlow(mesh, 6, VISCOSITY, end / steps, drifting_vortices, SQUARE, drifting_vortices(0.0))
    for _ in range(steps):
        flow.advance()
    difference = flow.velocity - drifting_vortices(end)
    return np.sqrt(ng.Integrate(difference * difference, mesh))


def test_steps_are_of_order_two():
    errors = [error_after(steps) for steps in (10, 20, 40)]
    slopes = [log2(one / other) for one, other in pairwise(errors)]
    assert all(1.7 < slope < 2.4 for slope in slopes), (slopes, errors)
    assert errors[-1] < 2e-3


def steady_flow(mesh, order, viscosity, velocity):
    """Newton's iteration on the steady equations, written without `ChannelFlow`."""
    space = ng.VectorH1(mesh, order=order, dirichlet="inlet|wall|cylinder") * ng.H1(mesh, order=order - 1)
    (u, p), (v, q) = space.TnT()
    form = ng.BilinearForm(space)
    stress = viscosity * ng.InnerProduct(ng.Grad(u), ng.Grad(v)) - ng.div(v) * p - ng.div(u) * q
    form += (stress + ng.InnerProduct(ng.Grad(u) * u, v)) * ng.dx
    state = ng.GridFunction(space)
    state.components[0].Set(velocity, definedon=mesh.Boundaries("inlet|wall|cylinder"))
    left = state.vec.CreateVector()
    for _ in range(6):
        form.Apply(state.vec, left)
        form.AssembleLinearization(state.vec)
        state.vec.data -= form.mat.Inverse(space.FreeDofs(), inverse="umfpack") * left
    return state


@pytest.mark.slow
def test_the_steady_flow_at_reynolds_number_20_has_the_published_forces_and_stays():
    """DFG 2D-1 of Schaefer and Turek (1996): drag 5.57 to 5.59, lift 0.0104 to 0.0110, pressure difference 0.1172 to
    0.1176, at the mean velocity 0.2 m/s."""
    mesh = DFG.mesh(0.1, 0.016)
    inflow = DFG.inflow(mesh, 0.2)
    flow = ChannelFlow(mesh, 4, 1e-3, 2e-3, lambda t: inflow, start=steady_flow(mesh, 4, 1e-3, inflow).components[0])
    found = []
    for _ in range(5):
        flow.advance()
        found.append([2 * part / (0.2**2 * 0.1) for part in flow.force("cylinder")])
    drag, lift = found[-1]
    assert 5.57 < drag < 5.59 and 0.0104 < lift < 0.0110
    assert np.allclose(found[0], found[-1], atol=1e-7)
    front, back = flow.values(np.array([0.15 - 1e-9, 0.25 + 1e-9]), np.array([0.2, 0.2]))[2]
    assert 0.1172 < front - back < 0.1176


def test_an_inflow_of_mean_one_vanishes_on_the_walls_and_at_the_cylinder():
    mesh = DFG.mesh(0.2, 0.06)
    flow = ChannelFlow(mesh, 2, 1e-3, 1e-3, lambda t: DFG.inflow(mesh, 1.0))
    y = np.linspace(0.0, 0.41, 5)
    u, v, _ = flow.values(np.zeros(5), y)
    assert np.allclose(u, 6 * y * (0.41 - y) / 0.41**2, atol=1e-12) and np.allclose(v, 0)
    area = ng.Integrate(flow.velocity * ng.specialcf.normal(2), mesh, definedon=mesh.Boundaries("inlet"))
    assert np.isclose(area, -0.41)
    assert 0.01 < shortest_edge(mesh) < 0.06
    assert np.isclose(ng.Integrate(ng.CF(1.0), mesh), 2.2 * 0.41 - pi * 0.05**2, rtol=1e-6)


def test_a_step_that_is_too_long_and_a_point_in_the_cylinder_are_refused():
    mesh = DFG.mesh(0.2, 0.06)
    flow = ChannelFlow(mesh, 2, 1e-3, 0.5, lambda t: DFG.inflow(mesh, 20.0))
    with pytest.raises(ValueError, match="expected points of the mesh, got"):
        flow.values(np.array([0.2]), np.array([0.2]))
    with pytest.raises(ValueError, match="expected a finite flow"):
        for _ in range(400):
            flow.advance()
