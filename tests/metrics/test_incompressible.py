"""The divergence of vectors: none of a curl, all of a gradient, on every kind of box."""

import math

import pytest
import torch

from pdekit.calculus.projections import vectors
from pdekit.fields import Field, Grid, Points, Problem
from pdekit.metrics.incompressible import divergence

BOX = 2 * math.pi


def problem_on(grid, n=None):
    letters = "xyz"[: n or grid.ndim]
    fields = (Field("smoke"), *(Field(f"velocity_{a}", "m/s", vector="velocity") for a in letters))
    return Problem(grid, fields, dt=1.0, n_frames=3)


def with_smoke(*components):
    u = torch.stack([torch.randn_like(components[0]), *components])
    return u.expand(2, 3, *u.shape)


@pytest.mark.parametrize("layout", [("periodic", "periodic"), ("cells", "nodes")])
def test_in_two_dimensions(layout):
    grid = Grid((40, 48), (BOX, BOX), layout=layout)
    x, y = grid.mesh()
    # from the streamfunction sin(2x) sin(y), and from the potential of the same name
    turning = torch.sin(2 * x) * torch.cos(y), -2 * torch.cos(2 * x) * torch.sin(y)
    sinking = 2 * torch.cos(2 * x) * torch.sin(y), torch.sin(2 * x) * torch.cos(y)
    bound = 1e-12 if grid.periodic else 2e-3
    assert divergence(with_smoke(*turning), problem_on(grid)).max() < bound
    # (laplacian)^2 = 25 s^2 over all second derivatives: 16 s^2 + s^2 + 2 * 4 c^2, of equal means
    value = divergence(with_smoke(*sinking), problem_on(grid))
    assert value.shape == (2, 3, 1)
    torch.testing.assert_close(value, torch.ones_like(value), rtol=0.05 if not grid.periodic else 1e-12, atol=0)
    mixed = [a + b for a, b in zip(turning, sinking, strict=True)]
    assert divergence(with_smoke(*mixed), problem_on(grid)).max().item() == pytest.approx(math.sqrt(0.5), rel=0.05)


def test_in_three_dimensions_and_its_largest_value():
    grid = Grid((8, 8, 8), (BOX,) * 3)
    x, y, z = grid.mesh()
    abc = torch.sin(z) + torch.cos(y), torch.sin(x) + torch.cos(z), torch.sin(y) + torch.cos(x)
    assert divergence(with_smoke(*abc), problem_on(grid)).max() < 1e-12
    wave = torch.sin(x + y + z)
    assert divergence(with_smoke(wave, wave, wave), problem_on(grid))[0, 0, 0].item() == pytest.approx(1, rel=1e-12)
    squeezed = divergence(with_smoke(torch.sin(x), torch.zeros_like(x), torch.zeros_like(x)), problem_on(grid))
    assert squeezed[0, 0, 0].item() == pytest.approx(1, rel=1e-12)


def test_what_does_not_vary_has_none_and_divergence_is_not_hidden():
    grid = Grid((8, 8), (1.0, 1.0))
    u = with_smoke(torch.ones(8, 8, dtype=torch.float64), torch.zeros(8, 8, dtype=torch.float64)).clone()
    assert (divergence(u, problem_on(grid)) == 0).all()
    noise = torch.randn(2, 3, 3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(divergence(1000 * noise, problem_on(grid)), divergence(noise, problem_on(grid)))
    noise[1, 2, 1, 0, 0] = math.nan
    value = divergence(noise, problem_on(grid))
    assert value[1, 2].isinf().all() and value.isinf().sum() == 1


def test_the_shape_of_the_box_may_vary():
    # from the streamfunction sin(x) sin(2 pi y / L): free of divergence on a box of length L only
    grid, lengths = Grid((16, 16), (BOX, BOX)), torch.tensor([[3.0], [BOX]], dtype=torch.float64)
    x, phase = grid.mesh()
    flows = [with_smoke(torch.sin(x) * torch.cos(phase) * BOX / float(n), -torch.cos(x) * torch.sin(phase))[:1]
             for n in lengths]  # fmt: skip
    problem = Problem(grid, problem_on(grid).fields, dt=1.0, n_frames=3, params=("length_y",))
    u = torch.cat(flows)
    assert divergence(u, problem, lengths).max() < 1e-12 and divergence(u, problem, lengths.flip(0)).min() > 0.1


def test_where_it_is_defined():
    assert vectors(problem_on(Grid((8, 8), (1.0, 1.0)))) == {"velocity": [1, 2]}
    assert not vectors(problem_on(Grid((8, 8), (1.0, 1.0)), 3)), "three components in two dimensions"
    assert not vectors(problem_on(Grid((8,), (1.0,)))) and not vectors(problem_on(Points(2, 9)))


def test_nodes_count_with_their_trapezoidal_weights():
    """v = (x^2 / 2, 3 x): div v = x and |grad v|^2 = x^2 + 9; the rule makes <x^2> = 1/3 + h^2/6."""
    grid = Grid((7, 9), (1.0, 1.0), layout=("nodes", "nodes"))
    x, _ = grid.mesh()
    square = 1 / 3 + 1 / 6**3
    found = divergence(with_smoke(x**2 / 2, 3 * x), problem_on(grid))
    assert found.flatten().tolist() == pytest.approx(6 * [math.sqrt(square / (square + 9))], rel=1e-12)
