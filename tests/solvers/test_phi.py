"""phi functions against 80-digit arithmetic; a wrong digit here is a wrong equation everywhere."""

import cmath

import mpmath
import pytest
import torch

from pdekit.solvers.phi import phi_matrix, phi_scalar

DIFFUSIVE = [0.0, -1e-12, -1e-3, -0.5, -1.0, -3.0, -30.0, -1e3, -1e7]
GROWING = [1e-9, 0.1, 1.0, 4.0, 20.0]
DISPERSIVE = [1e-10j, 1j, -1j, 0.999j, 1.001j, 6.3j, -30j, 1e3j, 1e5j]
MIXED = [-20 + 30j, -1e4 + 1e4j, 0.6 + 0.8j, cmath.exp(1j * cmath.pi / 64), -cmath.exp(1j * cmath.pi / 64)]


def exact(z: complex, j: int) -> mpmath.mpc:
    """phi_j(z) from its definition, with 80 digits."""
    with mpmath.workdps(80):
        if z == 0:
            return mpmath.mpc(1 / mpmath.factorial(j))
        z = mpmath.mpc(z)
        return (mpmath.exp(z) - sum(z**i / mpmath.factorial(i) for i in range(j))) / z**j


@pytest.mark.parametrize(
    "values", [DIFFUSIVE, GROWING, DISPERSIVE, MIXED], ids=["real-", "real+", "imaginary", "mixed"]
)
def test_scalar_functions_have_all_digits(values):
    found = phi_scalar(torch.tensor(values, dtype=torch.complex128), 3)
    for j in range(4):
        for z, value in zip(values, found[j].tolist(), strict=True):
            expected = exact(z, j)
            # phi_1 has zeros at 2 pi i n: there the error is relative to 1/|z|
            size = max(abs(expected), 1 / max(abs(z), 1.0)) if j == 1 else abs(expected)
            assert abs(value - expected) <= 2e-15 * float(size) + 1e-300, (j, z)


def test_matrix_functions_of_a_rotation_are_the_scalar_ones():
    # [[a, b], [-b, a]] acts as the number a + i b on (1, i)
    for z in (-1.0 + 1j, -100 + 50j, -1e4 + 10j, -1e-7 + 1e-7j, 30j, 0.0):
        a, b = complex(z).real, complex(z).imag
        matrix = torch.tensor([[a, b], [-b, a]], dtype=torch.complex128)
        for j, value in enumerate(phi_matrix(matrix, 3)):
            found = complex(value[0, 0] + 1j * value[0, 1])
            expected = exact(z, j)
            assert abs(found - expected) <= 1e-13 * (float(abs(expected)) + 1e-200), (j, z)


def test_matrix_functions_of_a_nilpotent_matrix_are_their_two_terms():
    # no eigenvectors: phi_j(N) = 1/j! + N/(j+1)! where N^2 = 0
    n = torch.tensor([[0.0, 7.0], [0.0, 0.0]], dtype=torch.complex128)
    for j, value in enumerate(phi_matrix(n, 3)):
        expected = torch.eye(2, dtype=n.dtype) / float(mpmath.factorial(j)) + n / float(mpmath.factorial(j + 1))
        torch.testing.assert_close(value, expected, rtol=1e-15, atol=1e-15)


def test_matrix_functions_of_a_diagonal_matrix_are_the_scalar_ones():
    z = torch.tensor([-40.0, 0.3, 2j], dtype=torch.complex128)
    for matrix, scalar in zip(phi_matrix(torch.diag(z), 3), phi_scalar(z, 3), strict=True):
        torch.testing.assert_close(matrix, torch.diag(scalar), rtol=1e-13, atol=1e-17)


def test_they_are_differentiable_in_their_argument():
    z = torch.tensor([1e-3, 0.7, -2.0, -50.0], dtype=torch.complex128, requires_grad=True)
    phi_scalar(z, 2)[1].real.sum().backward()
    # phi_1' = phi_0 - phi_1 + ... : (z phi_1)' = phi_0, hence phi_1' = (phi_0 - phi_1) / z
    for value, slope in zip(z.tolist(), z.grad.tolist(), strict=True):
        expected = (exact(value, 0) - exact(value, 1)) / mpmath.mpc(value)
        assert abs(slope - expected) < 1e-12 * float(abs(expected))
