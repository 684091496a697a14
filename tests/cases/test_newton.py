"""Newton's method on a problem with a known solution, and continuation with steps that fail."""

import pytest

from pdekit.cases.newton import CLOSE, ITERATIONS, TOLERANCE, continuation, newton

ng = pytest.importorskip("ngsolve")


def reaction(strength):
    """-laplacian(u) + strength u^3 = f on the unit square with the solution x (1 - x) + y."""
    mesh = ng.Mesh(ng.unit_square.GenerateMesh(maxh=0.5))
    exact = ng.x * (1 - ng.x) + ng.y
    space = ng.FESpace([ng.H1(mesh, order=3, dirichlet=".*")])
    (u,), (test,) = space.TnT()
    form = ng.BilinearForm(space, condense=True)
    form += (ng.grad(u) * ng.grad(test) + strength * (u**3 - exact**3) * test - 2 * test) * ng.dx(bonus_intorder=8)
    state = ng.GridFunction(space)
    state.components[0].Set(exact, definedon=mesh.Boundaries(".*"))
    return form, state, space.FreeDofs(coupling=True), exact, mesh


def test_newtons_method_finds_the_solution_and_a_linear_problem_takes_one_step():
    form, state, free, exact, mesh = reaction(50.0)
    converged, iterations = newton(form, state, free, (0,), TOLERANCE)
    assert converged and 3 < iterations < 9
    assert ng.Integrate((state.components[0] - exact) ** 2, mesh) ** 0.5 < 1e-10
    form, state, free, exact, mesh = reaction(0.0)
    assert newton(form, state, free, (0,), TOLERANCE) == (True, 2)  # the second sees that nothing changes
    assert ng.Integrate((state.components[0] - exact) ** 2, mesh) ** 0.5 < 1e-12


def test_failure_is_told():
    form, state, free, _, _ = reaction(50.0)
    state.vec[:] = 1e12  # far off a cube's root loses a third at a time
    assert newton(form, state, free, (0,), TOLERANCE) == (False, ITERATIONS)
    state.vec[:] = float("nan")  # the matrix is singular
    assert newton(form, state, free, (0,), TOLERANCE) == (False, 1)


def steps(limit):
    """Records the attempts of a solve that converges over at most this step, and marks its state."""
    _, state, *_ = reaction(0.0)
    attempts, reached = [], [0.0]

    def solve(parameter, tolerance):
        attempts.append((round(parameter, 6), tolerance))
        state.vec[:] = parameter
        if parameter - reached[0] > limit:
            return False
        reached[0] = parameter
        return True

    return state, attempts, solve


def test_steps_treble_and_failed_ones_are_quartered_and_undone():
    state, attempts, solve = steps(0.4)
    assert continuation(solve, state, 1.0, 0.1) == 1.0
    assert [value for value, _ in attempts] == [0.1, 0.4, 1.0, 0.625, 1.0]
    assert [tolerance for _, tolerance in attempts] == [CLOSE, CLOSE, TOLERANCE, CLOSE, TOLERANCE]
    assert state.vec[0] == 1.0


def test_what_cannot_be_reached_is_not_claimed():
    state, attempts, solve = steps(0.0)
    assert continuation(solve, state, 1.0, 0.5) == 0.0
    assert len(attempts) < 10 and state.vec.Norm() < 10
    state, _, solve = steps(0.0)
    before = state.vec.Norm()
    continuation(solve, state, 1.0, 0.5)
    assert state.vec.Norm() == before
