"""Statistics: streamed over batches, inside the mask, one scale for a group."""

import dataclasses

import pytest
import torch

from pdekit.fields import Field, Grid, Points, Problem, Trajectory
from pdekit.models.normaliser import Moments, Normaliser
from pdekit.models.quantiles import Quantiles

GRID = Grid((16,), (1.0,))


def problem(*fields: Field, **changes) -> Problem:
    return Problem(GRID, fields, dt=0.1, n_frames=4, **changes)


def trajectory(u: torch.Tensor, **parts) -> Trajectory:
    return Trajectory(u, torch.zeros(u.shape[:2], dtype=u.dtype), **parts)


def test_moments_do_not_depend_on_the_batches():
    values = 1e6 + torch.randn(30, 2, 16, dtype=torch.float64)
    whole, parts = Moments(2), Moments(2)
    whole.add(values)
    for part in values.split([1, 12, 17]):
        parts.add(part)
    torch.testing.assert_close(parts.mean, whole.mean, rtol=1e-15, atol=0)
    torch.testing.assert_close(parts.variance, values.var((0, 2), correction=0), rtol=1e-9, atol=0)


def test_normalised_fields_have_mean_zero_and_deviation_one():
    u = torch.tensor([[2.0], [300.0]]) * torch.randn(5, 4, 2, 16) + torch.tensor([[7.0], [1e5]])
    normaliser = Normaliser(problem(Field("T"), Field("p")))
    normaliser.calibrate([trajectory(u[:2]), trajectory(u[2:])])
    inside = normaliser.encode(u).double()
    assert inside.mean((0, 1, 3)).abs().max() < 1e-4
    torch.testing.assert_close(inside.std((0, 1, 3), correction=0), torch.ones(2).double(), rtol=1e-5, atol=0)
    torch.testing.assert_close(normaliser.decode(normaliser.encode(u)), u, rtol=1e-6, atol=1e-2)


def test_a_vector_has_one_scale_and_no_mean():
    u = torch.randn(5, 4, 3, 16, dtype=torch.float64) * torch.tensor([[3.0], [1.0], [1.0]]) + 2
    normaliser = Normaliser(problem(Field("vx", vector="v"), Field("vy", vector="v"), Field("p"))).double()
    normaliser.calibrate([trajectory(u)])
    assert normaliser.mean[:2].tolist() == [0, 0] and normaliser.mean[2] != 0
    expected = u[:, :, :2].square().mean().sqrt()
    torch.testing.assert_close(normaliser.scale[:2], expected.expand(2))


def test_the_change_is_measured_in_normalised_units():
    u = torch.randn(6, 4, 1, 16, dtype=torch.float64).cumsum(1) * 50
    normaliser = Normaliser(problem(Field("u"))).double()
    normaliser.calibrate([trajectory(u)])
    change = normaliser.encode(u).diff(dim=1)
    torch.testing.assert_close(normaliser.change_scale[0], change.std(correction=0))


def test_what_is_constant_has_scale_one():
    u = torch.full((3, 4, 1, 16), 0.1)
    given = problem(Field("u"), params=("nu",), coeffs=(Field("k"),))
    normaliser = Normaliser(given)
    batch = trajectory(u, params=torch.full((3, 1), 1e-3), coeffs=torch.full((3, 1, 16), 7.0))
    normaliser.calibrate([batch])
    for scale in (normaliser.scale, normaliser.params_scale, normaliser.coeffs_scale, normaliser.change_scale):
        assert scale.tolist() == [1]
    assert normaliser.encode_params(batch.params).abs().max() < 1e-9


def test_only_the_inside_of_the_mask_counts():
    u = torch.randn(4, 3, 1, 16, dtype=torch.float64)
    mask = torch.ones(4, 1, 16, dtype=torch.float64)
    mask[:, :, 10:] = 0
    filled = torch.where(mask[:, None] > 0, u, torch.nan)
    normaliser, expected = (Normaliser(problem(Field("u"))).double() for _ in range(2))
    normaliser.calibrate([trajectory(filled, mask=mask)])
    inside = dataclasses.replace(problem(Field("u")), grid=Grid((10,), (1.0,)))
    expected = Normaliser(inside).double()
    expected.calibrate([trajectory(u[..., :10])])
    for name, value in normaliser.state_dict().items():
        torch.testing.assert_close(value, expected.state_dict()[name], rtol=1e-13, atol=0)


def heavy(*shape: int) -> torch.Tensor:
    """Values of which a few are enormous (Cauchy)."""
    uniform = torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return torch.tan(torch.pi * (uniform - 0.5))


def test_quantiles_hold_98_percent_whatever_the_tails():
    u = 5 + torch.cat((heavy(200, 4, 1, 16), torch.randn(200, 4, 1, 16)), 2)
    normaliser = Normaliser(problem(Field("s"), Field("T")), {"s": "quantile"}).double()
    normaliser.calibrate(trajectory(part) for part in u.split(30))
    inside = normaliser.encode(u)
    assert 0.979 < (inside[:, :, 0].abs() <= 1).double().mean() < 0.981
    assert abs((inside[:, :, 0] > 1).double().mean() - 0.01) < 1e-3
    torch.testing.assert_close(normaliser.decode(inside), u)
    torch.testing.assert_close(inside[:, :, 1].std(correction=0), torch.tensor(1.0).double())  # the other by deviation
    torch.testing.assert_close(normaliser.change_scale, inside.diff(dim=1).std((0, 1, 3), correction=0))


def test_quantiles_of_a_group_and_of_coeffs():
    """A complex pair keeps its zero and has one scale; a coefficient has its own."""
    fields = (Field("E_real", complex="E"), Field("E_imag", complex="E"))
    k = heavy(50, 1, 16).square()
    normaliser = Normaliser(problem(*fields, coeffs=(Field("k"),)), "quantile").double()
    u = heavy(50, 4, 2, 16) * torch.tensor([[1.0], [3.0]])
    normaliser.calibrate([trajectory(u, coeffs=k)])
    assert normaliser.mean.tolist() == [0, 0] and normaliser.scale[0] == normaliser.scale[1]
    assert abs((normaliser.encode(u).abs() <= 1).double().mean() - 0.98) < 1e-3
    low, high = torch.quantile(k, 0.01), torch.quantile(k, 0.99)
    torch.testing.assert_close(normaliser.coeffs_mean[0], (low + high) / 2)
    torch.testing.assert_close(normaliser.coeffs_scale[0], (high - low) / 2)


def test_quantiles_count_inside_the_mask_and_fall_back_where_all_are_equal():
    u = torch.zeros(10, 4, 2, 16, dtype=torch.float64)
    u[..., :8] = torch.arange(8.0)
    u[0, 0, 1, 3] = 100.0  # one value of channel 1 differs from the constant 7
    u[:, :, 1] = torch.where(u[:, :, 1] == 100, 100.0, 7.0)
    mask = (torch.arange(16) < 8).double().expand(10, 2, 16)
    normaliser = Normaliser(problem(Field("a"), Field("b")), "quantile").double()
    normaliser.calibrate([trajectory(u, mask=mask)])
    assert normaliser.mean[0] == 3.5 and normaliser.scale[0] == 3.5
    torch.testing.assert_close(normaliser.scale[1], u[:, :, 1, :8].std(correction=0))


def test_thinned_quantiles_are_an_even_selection(monkeypatch):
    monkeypatch.setattr("pdekit.models.quantiles.KEPT", 100)
    quantiles = Quantiles(1)
    for part in torch.arange(5000.0).split([1, 7, 1992, 2500, 500]):
        quantiles.add(part.reshape(1, 1, -1))
    kept = quantiles.values[0]
    assert 100 <= len(kept) <= 200 and kept[0] == 0
    assert (kept.diff() == quantiles.strides[0]).all()
    centre, scale = quantiles.centre_and_scale(["u"])
    assert abs(centre - 2500) < 60 and abs(scale - 2450) < 60


def test_a_wrong_normalisation_is_refused():
    for methods in ("minmax", {"u": "minmax"}):
        with pytest.raises(ValueError, match="expected a normalisation among"):
            Normaliser(problem(Field("u")), methods)
    with pytest.raises(ValueError, match=r"expected the name of a field, coeff or group \(u\), got w"):
        Normaliser(problem(Field("u")), {"w": "quantile"})


def test_a_positive_field_by_its_logarithm():
    """Over eight decades: mean 0 and deviation 1 inside, the exact inverse in float64, and positive for any output."""
    u = torch.randn(6, 4, 2, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    density = torch.exp(4 * u[:, :, :1] - 3)
    data = trajectory(torch.cat((density, 5 + 2 * u[:, :, 1:]), 2))
    made = problem(Field("density"), Field("v"))
    normaliser, plain = Normaliser(made, {"density": "log"}), Normaliser(made)
    for one in (normaliser, plain):
        one.calibrate([data.samples(slice(0, 3)), data.samples(slice(3, 6))])
    inside = normaliser.encode(data.u)
    torch.testing.assert_close(inside.mean((0, 1, 3)), torch.zeros(2).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(inside.std((0, 1, 3), correction=0), torch.ones(2).double(), rtol=1e-12, atol=0)
    torch.testing.assert_close(normaliser.decode(inside), data.u, rtol=1e-12, atol=0)
    torch.testing.assert_close(inside[:, :, 1], plain.encode(data.u)[:, :, 1], rtol=1e-12, atol=1e-12)
    assert (normaliser.decode(-20 * torch.ones(1, 1, 2, 16, dtype=torch.float64))[:, :, 0] > 0).all()
    change = inside[:, 1:, 0] - inside[:, :-1, 0]
    assert float(normaliser.change_scale[0]) == pytest.approx(float(change.std(correction=0)), rel=1e-3)


def test_a_decoded_logarithm_is_positive_and_leaves_the_gradients_of_other_fields():
    """exp(1e5) overflows: taken of the pressure as well, its gradient would be inf times 0. exp(-2e3) is 0."""
    normaliser = Normaliser(problem(Field("density"), Field("pressure")), {"density": "log"}).double()
    for dtype in (torch.float32, torch.float64):
        inner = torch.tensor([-2e3, 1e5], dtype=dtype).reshape(1, 1, 2, 1).requires_grad_()
        u = normaliser.decode(inner)
        u.sum().backward()
        assert u.dtype == dtype and u[0, 0, 0, 0] == torch.finfo(dtype).tiny and u[0, 0, 1, 0] == 1e5
        assert inner.grad.flatten().tolist() == [0, 1]


def test_a_positive_constant_with_rounding_is_a_constant_by_its_logarithm_too():
    """Of float32 values near one the logarithms are rounding, near zero, and need float64."""
    u = 1 + torch.finfo(torch.float32).eps * torch.randint(0, 2, (3, 4, 1, 16)).float()
    normaliser = Normaliser(problem(Field("density")), "log")
    normaliser.calibrate([trajectory(u)])
    assert normaliser.scale.tolist() == [1.0] and normaliser.change_scale.tolist() == [1.0]


def test_a_logarithm_that_does_not_exist_is_refused():
    normaliser = Normaliser(problem(Field("u")), "log")
    with pytest.raises(ValueError, match="expected positive values of u"):
        normaliser.calibrate([trajectory(torch.randn(2, 3, 1, 16))])
    vector = problem(Field("a", vector="v"), Field("b", vector="v"))
    points = Problem(Points(2, 16), (Field("u"),), dt=0.1, n_frames=4)
    coeff = problem(Field("u"), coeffs=(Field("k"),))
    masked = problem(Field("u"), has_mask=True)
    for refused, methods in ((vector, "log"), (points, "log"), (coeff, {"k": "log"}), (masked, "log")):
        with pytest.raises(ValueError, match="expected log for positive scalar fields on a grid without a mask"):
            Normaliser(refused, methods)


def test_a_nan_in_the_data_is_named():
    u = torch.randn(4, 3, 2, 16)
    u[2, 1, 1, 5] = torch.nan
    normaliser = Normaliser(problem(Field("u"), Field("w")))
    with pytest.raises(ValueError, match="found nan in w of sample 42"):
        normaliser.calibrate([trajectory(u, index=torch.tensor([40, 41, 42, 43]))])


def test_no_data_is_an_error():
    with pytest.raises(ValueError, match="at least one training sample"):
        Normaliser(problem(Field("u"))).calibrate([])


def test_offsets_stay_in_float64_in_a_float32_model():
    """0.05 Pa upon 101325 Pa: a mean in float32 would be off by up to 4e-3 Pa, 8 % of the signal."""
    signal = torch.randn(6, 4, 1, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    u = 101325 + 0.05 * signal
    normaliser = Normaliser(problem(Field("p"))).double().float()
    normaliser.calibrate([trajectory(u)])
    assert normaliser.mean.dtype == normaliser.scale.dtype == torch.float64
    assert normaliser.like.dtype == normaliser.change_scale.dtype == torch.float32
    inside = normaliser.encode(u).float().double()
    expected = (signal - signal.mean()) / signal.std(correction=0)
    torch.testing.assert_close(inside, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(normaliser.decode(inside), u, rtol=0, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_float32_rounding_is_no_signal(dtype):
    """A density of one with rounding errors is constant, and its changes are none, also when stored in float64."""
    signs = torch.randn(8, 6, 1, 64, generator=torch.Generator().manual_seed(0)).sign()
    rho = (1 + 6e-8 * signs).to(dtype)
    assert rho.unique().numel() == 2
    normaliser = Normaliser(problem(Field("rho")))
    normaliser.calibrate([trajectory(rho)])
    assert normaliser.scale.tolist() == normaliser.change_scale.tolist() == [1]


def test_a_signal_of_a_few_float32_steps_is_kept():
    u = 1 + 1e-6 * torch.randn(8, 6, 1, 64, generator=torch.Generator().manual_seed(0))
    normaliser = Normaliser(problem(Field("rho")))
    normaliser.calibrate([trajectory(u)])
    torch.testing.assert_close(normaliser.scale, u.double().std(correction=0).reshape(1))


def test_a_nan_in_the_inputs_is_named():
    u = torch.randn(4, 3, 1, 16)
    nu, k = torch.ones(4, 1), torch.ones(4, 1, 16)
    nu[2], k[1, 0, 3] = torch.nan, torch.inf
    index = torch.tensor([40, 41, 42, 43])
    with pytest.raises(ValueError, match="in the param nu of sample 42"):
        Normaliser(problem(Field("u"), params=("nu",))).calibrate([trajectory(u, params=nu, index=index)])
    with pytest.raises(ValueError, match="in the coeff k of sample 41"):
        Normaliser(problem(Field("u"), coeffs=(Field("k"),))).calibrate([trajectory(u, coeffs=k, index=index)])
