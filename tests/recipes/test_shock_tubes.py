"""The shock tubes of `euler_1d` are the exact solutions of their Riemann problems."""

import dataclasses

from pdekit.pdes.exact_riemann import exact_riemann
from tests.recipes.test_configs import compose


def test_stored_tubes_are_exact_riemann_solutions():
    """The states and the place of the jump are read from the first frame; L1 error over the range of the density."""
    recipe = compose("euler_1d")
    recipe = dataclasses.replace(recipe, n_frames=dict.fromkeys(recipe.n_frames, 6), substeps=8)
    batch = recipe.simulate("test", [0, 1])
    x, t = recipe.grid.coordinates(0), float(batch.t[0, -1])
    for u in batch.u.double():
        density, momentum, energy = u[0]
        velocity = momentum / density
        pressure = 0.4 * (energy - momentum * velocity / 2)
        left, right = (tuple(float(v[end]) for v in (density, velocity, pressure)) for end in (0, -1))
        place = float((density - right[0]).sum() / (left[0] - right[0])) / len(x)
        exact, _, _ = exact_riemann(left, right, (x - place) / t)
        assert t == 0.05 and float((u[-1, 0] - exact).abs().mean()) < 0.01 * float(exact.max() - exact.min())
        assert float((u[-1, 0] - u[0, 0]).abs().mean()) > 0.02 * float(exact.max() - exact.min())
