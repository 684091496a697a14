"""Darcy flow in random media: the statistics of a, an independent solve, refinement, grids that agree."""

import numpy as np
import pytest

from pdekit.cases.darcy import DarcyFlow
from pdekit.cases.media import CosineField, LogNormal, TwoPhase
from pdekit.fields import Grid
from pdekit.solvers.elliptic import elliptic

NODES = ("nodes", "nodes")
FIELD = CosineField(modes=24)


def square(n: int) -> Grid:
    return Grid((n, n), (1.0, 1.0), layout=NODES)


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


# The medium


def test_a_field_is_its_sum_of_cosines():
    field = CosineField(modes=3, exponent=2.0, tau=3.0)
    noise = np.random.default_rng(0).normal(size=(3, 3))
    grid = Grid((4, 5), (2.0, 1.0), origin=(-1.0, 3.0), layout=("nodes", "cells"))
    x, y = (place.numpy() for place in grid.mesh())
    expected = np.zeros(grid.shape)
    for k in range(3):
        for m in range(3):
            norm = np.sqrt(2) ** ((k > 0) + (m > 0)) * (k + m > 0)
            wave = np.cos(np.pi * k * (x + 1) / 2) * np.cos(np.pi * m * (y - 3))
            expected += 3 / (9 + np.pi**2 * (k**2 + m**2)) * noise[k, m] * norm * wave
    np.testing.assert_allclose(field(noise, grid), expected, atol=1e-14)


def test_the_published_sum_is_an_inverse_cosine_transform():
    """On cell centres with as many modes as points: idct2 of s x spread x noise, as the published generator writes."""
    from scipy.fft import idctn

    field = CosineField(modes=16)
    noise = np.random.default_rng(1).normal(size=(16, 16))
    found = field(noise, Grid((16, 16), (1.0, 1.0), layout=("cells", "cells")))
    np.testing.assert_allclose(found, idctn(16 * field.spread(2) * noise, norm="ortho"), atol=1e-12)


def test_variance_and_correlation_are_those_of_the_spectrum():
    rng = np.random.default_rng(0)
    draws = np.stack([FIELD(FIELD.noise(rng, 2), square(17)) for _ in range(800)])
    assert abs(draws.mean()) < 0.02
    inner = (draws**2).mean(0)
    spread = FIELD.spread(2)
    k = np.arange(24)
    for i, j in ((8, 8), (3, 11), (0, 0)):
        waves = [np.where(k > 0, 2, 1) * np.cos(np.pi * k * place / 16) ** 2 for place in (i, j)]
        expected = waves[0] @ spread**2 @ waves[1]
        assert abs(inner[i, j] / expected - 1) < 0.15  # 5 % is the deviation of such a mean
    assert abs(FIELD.std(2) ** 2 - (spread**2).sum()) < 1e-12
    # corners vary most: the waves of zero slope all have their largest value there
    assert inner[0, 0] > 2 * inner[8, 8]


def test_two_phases_fill_half_of_the_box_each():
    rng = np.random.default_rng(0)
    medium = TwoPhase(field=FIELD)
    values = np.stack([medium(FIELD.noise(rng, 2), square(17)) for _ in range(300)])
    assert set(np.unique(values)) == {3.0, 12.0}
    assert abs((values == 12).mean() - 0.5) < 0.03


def test_a_log_normal_medium_has_its_median_and_deviation():
    rng = np.random.default_rng(0)
    medium = LogNormal(median=2.0, deviation=1.5, field=FIELD)
    log = np.log(np.stack([medium(FIELD.noise(rng, 2), square(17)) for _ in range(400)]) / 2)
    weights = square(17).weights().numpy()
    assert abs((log**2 * weights).sum((1, 2)).mean() / 1.5**2 - 1) < 0.1
    assert abs(np.median(log)) < 0.1


# The flow


@pytest.mark.parametrize("medium", [TwoPhase(field=FIELD), LogNormal(deviation=1.0, field=FIELD)])
def test_refinement_brings_the_same_solution_closer(medium):
    """First order where a jumps, second where it is continuous; the inputs are the same at every resolution."""
    case = DarcyFlow(medium, intervals=40)
    errors = []
    for seed in range(4):
        drawn = case.draw(np.random.default_rng(seed))
        finest = case.solve(drawn, square(11), 8.0)
        solved = [case.solve(drawn, square(11), refinement) for refinement in (1.0, 2.0, 4.0)]
        assert all((one.coeffs == finest.coeffs).all() for one in solved)
        errors.append([relative(one.u, finest.u) for one in solved])
    first, second, third = np.mean(errors, 0)
    smooth = medium.method == "scaled"
    assert first / second > (3.0 if smooth else 1.5) and second / third > (3.0 if smooth else 1.5)
    assert third < (2e-4 if smooth else 4e-3)


def test_stored_grids_are_parts_of_one_solution():
    case = DarcyFlow(TwoPhase(field=FIELD), intervals=40)
    drawn = case.draw(np.random.default_rng(0))
    fine, coarse = case.solve(drawn, square(41)), case.solve(drawn, square(11))
    assert (coarse.u == fine.u[..., ::4, ::4]).all() and (coarse.coeffs == fine.coeffs[..., ::4, ::4]).all()
    assert fine.mask is None and fine.u.shape == (1, 1, 41, 41)
    assert case.solver_grid(square(29)).shape == (57, 57)  # the next multiple of 28 intervals
    assert case.solver_grid(square(11), 1.5).shape == (61, 61)


def test_the_pressure_vanishes_on_the_boundary_and_nowhere_else():
    case = DarcyFlow(TwoPhase(field=FIELD), intervals=28)
    u = case.solve(case.draw(np.random.default_rng(0)), square(29)).u[0, 0]
    assert (u[1:-1, 1:-1] > 0).all() and not any(edge.any() for edge in (u[0], u[-1], u[:, 0], u[:, -1]))
    assert 0.0736 / 12 < u.max() < 0.0737 / 3
    doubled = DarcyFlow(TwoPhase(field=FIELD), intervals=28, source=2.0)
    assert doubled.pde.source == 2.0
    np.testing.assert_allclose(doubled.solve(case.draw(np.random.default_rng(0)), square(29)).u[0, 0], 2 * u)


def test_a_box_that_is_no_square_and_other_dimensions():
    """Lengths enter: on a very long box, u is that of a channel, x (1 - x) / (2 a)."""
    case = DarcyFlow(LogNormal(deviation=1e-9, field=CosineField(4)), intervals=40)
    u = case.solve(case.draw(np.random.default_rng(0)), Grid((21, 21), (1.0, 50.0), layout=NODES)).u[0, 0]
    x = np.linspace(0, 1, 21)
    np.testing.assert_allclose(u[:, 10], x * (1 - x) / 2, atol=1e-6)
    line = DarcyFlow(LogNormal(deviation=1e-9, field=CosineField(4)), intervals=40, ndim=1)
    found = line.solve(line.draw(np.random.default_rng(0)), Grid((21,), (1.0,), layout=("nodes",))).u[0, 0]
    np.testing.assert_allclose(found, x * (1 - x) / 2, atol=1e-8)


def test_finite_elements_find_the_same():
    """scikit-fem's quadratic triangles with edges along the layers of a, next to our finite volumes: O(h^2) apart."""
    fem = pytest.importorskip("skfem")
    low, high = 0.25, 0.75  # between nodes of our grids, in the middle of a face

    def permeability(x, y):
        return np.where((y > low) & (y < high), 12.0, 3.0) * (1 + 0.3 * x)

    mesh = fem.MeshTri.init_tensor(np.linspace(0, 1, 25), np.linspace(0, 1, 25))
    basis = fem.Basis(mesh, fem.ElementTriP2())

    @fem.BilinearForm
    def flow(u, v, w):
        return permeability(*w.x) * (u.grad[0] * v.grad[0] + u.grad[1] * v.grad[1])

    @fem.LinearForm
    def load(v, w):
        return 1.0 * v

    solution = fem.solve(*fem.condense(flow.assemble(basis), load.assemble(basis), D=basis.get_dofs()))
    differences = []
    for n in (19, 39, 79):  # 18 / 4 and so on are halves: each layer ends in the middle of a face
        x, y = (place.numpy() for place in square(n).mesh())
        expected = basis.probes(np.stack([x.ravel(), y.ravel()])) @ solution
        found = elliptic(permeability(x, y), 1.0, (1 / (n - 1),) * 2)
        differences.append(relative(found.ravel(), expected))
    assert differences[-1] < 4e-4
    assert differences[0] / differences[1] > 3 and differences[1] / differences[2] > 3


def test_a_wrong_grid_is_refused():
    case = DarcyFlow(TwoPhase(field=FIELD))
    drawn = case.draw(np.random.default_rng(0))
    for grid in (Grid((8, 8), (1.0, 1.0)), Grid((9,), (1.0,), layout=("nodes",)), square(2)):
        with pytest.raises(ValueError, match="expected a grid of 2 axes with layout nodes"):
            case.solve(drawn, grid)
