"""Autoencoder and Text2PDE on meshes: padding, order and number of points do not matter, and frames can be queried."""

from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from pdekit.fields import Field, Points, Problem, Trajectory
from pdekit.labelled import to_dataset
from pdekit.models.autoencoder import Autoencoder
from pdekit.models.generation import Generation
from pdekit.models.prompts import Prompt, sample_points, sample_prompt
from pdekit.models.text2pde import Text2PDE
from pdekit.nets.grid_autoencoder import GridAutoencoder
from pdekit.nets.text_encoder import TextEncoder
from pdekit.nets.transformer import SpaceTimeTransformer, TransformerSize
from pdekit.report.animation import drawn_plane, write_animation, write_picture

FIELDS = (Field("velocity_x", vector="velocity"), Field("velocity_y", vector="velocity"), Field("pressure"))
NET = partial(GridAutoencoder, widths=(6, 8), latent_channels=3, time_halvings=1)
SIZES = (40, 52)


def problem(**changes):
    return Problem(Points(2, 60), FIELDS, dt=0.5, n_frames=4, params=("speed",), has_text=True, **changes)


def batch(of=None, seed=0, coeffs=False):
    of = of or problem()
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(2, 60, 2, generator=generator, dtype=torch.float64) * torch.tensor([4.0, 1.0])
    there = torch.arange(60)[None] < torch.tensor(SIZES)[:, None]
    speed = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    t = 0.5 * torch.arange(4, dtype=torch.float64).expand(2, 4)
    phase = points[:, None, :, 0] - speed[:, None] * t[:, :, None]
    u = torch.stack((torch.sin(phase), torch.cos(phase), 3 + torch.sin(2 * phase)), 2)
    u = torch.where(there[:, None, None], u, 0.0)
    text = ("flow at speed 1.0", "flow at speed 2.0")
    given = Trajectory(u=u, t=t, points=points, point_mask=there, params=speed, text=text, index=torch.arange(2))
    return given if not coeffs else Trajectory(**{**vars(given), "coeffs": there[:, None].double()})


def autoencoder(of=None, **options):
    torch.manual_seed(0)
    model = Autoencoder(of or problem(), NET, mesh_grid=(9, 5), **options).double()
    model.calibrate([batch()])
    return model


def changed(given, rows):
    """The same trajectories with their points in another order, and other values in the padding."""
    noise = torch.where(given.point_mask[:, None, None], given.u, torch.nan)
    return Trajectory(
        u=noise[..., rows],
        t=given.t,
        points=torch.where(given.point_mask[..., None], given.points, 77.0)[:, rows],
        point_mask=given.point_mask[:, rows],
        params=given.params,
        text=given.text,
        index=given.index,
    )


def test_order_and_padding_of_points_do_not_matter():
    model, given = autoencoder(), batch()
    rows = torch.randperm(60, generator=torch.Generator().manual_seed(3))
    first, other = model.reconstruct(given), model.reconstruct(changed(given, rows))
    inside = given.point_mask[:, None, None, rows].expand(other.shape)
    torch.testing.assert_close(first[..., rows][inside], other[inside], rtol=0, atol=1e-12)


def test_frames_are_decoded_at_points_that_the_encoder_has_not_seen():
    """The decoder is continuous: at two points close to each other the frames are nearly the same."""
    model, given = autoencoder(), batch()
    z = model.encode(model.normaliser.encode(given.u), *model.places(given))
    assert z.shape == (2, 3, 2, 3, 2)
    query = torch.tensor([[[0.3, 0.4], [0.3 + 1e-6, 0.4], [0.9, 0.1]]], dtype=torch.float64).expand(2, 3, 2)
    u = model.decode(z, 4, query, torch.ones(2, 3, dtype=torch.bool))
    assert u.shape == (2, 4, 3, 3)
    assert (u[..., 0] - u[..., 1]).abs().max() < 1e-4 < (u[..., 0] - u[..., 2]).abs().max()


def test_meshes_can_be_trained_in_half_precision():
    model, given = autoencoder().float(), batch()
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = model.loss(given)
    loss.backward()
    assert abs(float(loss.detach()) - float(model.loss(given)[0].detach())) < 0.05


@pytest.mark.slow
def test_a_wave_on_meshes_is_reconstructed_better_than_by_its_mean():
    model, given = autoencoder(kl=0.0), batch()
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        loss, _ = model.loss(given)
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.5, "1 is the mean"


def text2pde(of=None, **options):
    torch.manual_seed(0)
    of = of or problem()
    model = Text2PDE(
        of,
        partial(Autoencoder, net=NET, mesh_grid=(9, 5)),
        partial(SpaceTimeTransformer, size=TransformerSize(width=16, depth=1, heads=2)),
        partial(TextEncoder, width=16, depth=1),
        generation=Generation(),
        **options,
    ).double()
    given = batch(of, coeffs=bool(of.coeffs))
    model.autoencoder.calibrate([given])
    model.calibrate([given])
    return model, given


@pytest.mark.parametrize(
    "condition, coeffs", [(None, ()), (["params"], ()), (["frame"], ()), (["text", "frame"], (Field("inlet"),))]
)
def test_the_latent_model_generates_frames_at_the_points_of_each_sample(condition, coeffs):
    model, given = text2pde(problem(coeffs=coeffs), condition=condition)
    loss, _ = model.train().loss(given)
    loss.backward()
    assert torch.isfinite(loss)
    history = model.history
    out = model.eval().forecast(given.known(history), given.t[:, history:], 2, torch.Generator().manual_seed(0))
    assert out.shape == (2, 2, 4 - history, 3, 60) and torch.isfinite(out).all()
    assert (out[0, :, 0] - out[1, :, 0]).abs().max() > 1e-6, "two samples differ"
    with pytest.raises(ValueError, match="expected trajectories with points and point_mask"):
        bare = Trajectory(**{**vars(given), "points": None, "point_mask": None}).known(history)
        model.forecast(bare, given.t[:, history:])


def test_samples_of_a_prompt_lie_on_a_lattice_and_are_drawn(tmp_path):
    model, _ = text2pde()
    model.eval()
    points = sample_points(model)
    assert 40 <= len(points) <= 60
    assert torch.allclose(points.amin(0), model.autoencoder.box.lower) and len(points.unique(dim=0)) == len(points)
    u, t = sample_prompt(model, Prompt("flow at speed 1.0", members=2, calls=3))
    found = to_dataset(u, t, model.problem, ("member",), points)
    assert found.pressure.dims == ("member", "time", "point") and found.sizes["point"] == len(points)
    assert (found.x.values == points[:, 0].numpy()).all() and torch.isfinite(u).all()
    write_picture(found.isel(member=0), tmp_path / "sample.png")
    write_animation(found.isel(member=0), tmp_path / "sample.gif")
    with Image.open(tmp_path / "sample.gif") as animation:
        assert animation.n_frames == 4


def test_a_lattice_in_a_flat_box_has_no_more_points_than_a_mesh():
    model, _ = text2pde()
    box = model.autoencoder.box
    for height in (1e-3, 0.0):
        box.upper[1] = box.lower[1] + height
        assert 50 <= len(sample_points(model)) <= 60


@pytest.mark.parametrize("slope", [0.0, 1.0])
def test_points_on_a_line_are_drawn(slope, tmp_path):
    along = torch.linspace(0, 1, 9)
    found = to_dataset(torch.rand(2, 3, 9), torch.arange(2.0), problem(), (), torch.stack((along, slope * along), 1))
    write_picture(found, tmp_path / "line.png")
    assert (tmp_path / "line.png").exists()


def test_the_middle_layer_of_points_in_a_volume_is_drawn(tmp_path):
    """Values equal z, so that those of the picture are those of the layer that its title names."""
    axis = torch.linspace(0, 1, 5)
    points = torch.cartesian_prod(axis, axis, axis)
    volume = Problem(Points(3, 125), FIELDS[2:], dt=0.5, n_frames=2)
    found = to_dataset(points[:, 2].expand(2, 1, 125), torch.arange(2.0), volume, (), points)
    plane = drawn_plane(found)
    assert plane.where == "z = 0.5, " and (found.pressure.values[0, plane.which] == 0.5).all()
    assert np.stack((plane.across, plane.up), 1).tolist() == torch.cartesian_prod(axis, axis).tolist()
    write_picture(found, tmp_path / "volume.png")
    flat = to_dataset(points[:, 2].expand(2, 1, 125), torch.arange(2.0), volume, (), points * torch.tensor([1, 0, 1]))
    assert drawn_plane(flat).where == "" and set(drawn_plane(flat).up) == set(axis.tolist())
    few = to_dataset(torch.rand(2, 1, 5), torch.arange(2.0), volume, (), torch.rand(5, 3))
    write_animation(few, tmp_path / "few.gif")


def test_a_first_frame_on_a_mesh_is_no_prompt():
    model, given = text2pde(condition=["frame"])
    with pytest.raises(ValueError, match=r"expected a model on meshes that is conditioned on text or parameters"):
        sample_prompt(model.eval(), Prompt(start=given.u[0, 0].float()))


def test_what_needs_a_grid_is_refused_on_points():
    with pytest.raises(ValueError, match="expected gradient=0 and spectral=0 for a problem on points"):
        autoencoder(gradient=1.0)
    with pytest.raises(ValueError, match="expected a latent grid of 2 axes"):
        Autoencoder(problem(), NET, mesh_grid=(9,))
