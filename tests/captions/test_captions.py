"""Captions of every dataset: deterministic, complete where they are full, and the same facts in other words."""

import dataclasses
import re

import numpy as np
import pytest
import torch

from pdekit.captions import LEVELS, caption, captions_of
from pdekit.captions.cylinder import cylinder_caption, read_cylinder
from pdekit.captions.reading import read_smoke, read_values
from pdekit.data.arrays import from_arrays
from pdekit.fields import Field, Grid, Points, Problem
from pdekit.pdes import CylinderFlow, GrayScott, NavierStokes2D
from tests.recipes.test_configs import RECIPES, compose

KEY = (0, 0, 3)


def rounded(value):
    return float(f"{value:.4g}")


@pytest.mark.parametrize("name", RECIPES)
def test_every_dataset_has_captions_that_give_its_parameters(name):
    """Full ones hold each varying parameter with four digits; each level says more than the one before."""
    recipe = compose(name)
    problem, params = recipe.problem("train"), recipe.draw("train", 3).params
    short, medium, full = (caption(problem, params, level, KEY) for level in LEVELS)
    assert len(short) <= len(medium) <= len(full)
    for text in (short, medium, full):
        assert re.fullmatch(r"[A-Z].*[^ .]\.", text) and "  " not in text
    assert full == caption(problem, params, "full", KEY)
    if name in ("smoke", "cylinder"):
        return  # below
    where = {"disc_x": "x", "disc_y": "y", "disc_radius": "radius"} if name == "ns_heat" else {}
    for key, value in params.items():
        words = where.get(key, key)
        assert read_values(full, [words]) == {words: rounded(value)}, (key, full)


def test_a_full_caption_says_which_wall_slides():
    recipe = compose("cavity")
    full = caption(recipe.problem("train"), recipe.draw("train", 3).params, "full", KEY)
    assert "is closed by walls, and the upper end of y slides with the speed 1." in full


@pytest.fixture(scope="module")
def smoke():
    recipe = compose("smoke")
    return recipe.problem("train"), [recipe.draw("train", n).params for n in range(60)]


def test_inlets_and_buoyancy_are_read_back_from_full_captions(smoke):
    problem, draws = smoke
    for number, params in enumerate(draws):
        found = read_smoke(caption(problem, params, "full", (0, 0, number)))
        slots = [n for n in (1, 2, 3) if params[f"rate_{n}"] > 0]
        names = ("x", "y", "radius", "rate")
        assert found.inlets == tuple(tuple(rounded(params[f"{name}_{n}"]) for name in names) for n in slots)
        assert found.buoyancy == rounded(params["buoyancy"]) and found.count == len(slots)


def test_paraphrases_and_levels_agree_on_count_places_sizes_and_buoyancy(smoke):
    problem, draws = smoke
    for params in draws[:20]:
        first = read_smoke(caption(problem, params, "full"))
        assert list(first.cells) == [(int(3 * x), int(3 * y)) for x, y, _, _ in first.inlets]
        texts = {level: {caption(problem, params, level, (key,)) for key in range(12)} for level in LEVELS}
        assert all(len(found) >= 3 for found in texts.values())
        for text in set().union(*texts.values()):
            found = read_smoke(text)
            assert found.count == first.count and sorted(found.cells) == sorted(first.cells), text
            assert abs(found.buoyancy - first.buoyancy) <= 0.0051, text
        for text in texts["medium"]:
            assert read_smoke(text).sizes == first.sizes


def test_captions_of_a_batch_have_levels_of_their_own(smoke):
    problem, draws = smoke
    params = torch.tensor([[one[name] for name in problem.params] for one in draws], dtype=torch.float64)
    frames, keys = torch.zeros(60, 3, *problem.grid.shape), [(0, 0, n) for n in range(60)]
    found = captions_of(problem, params, frames, keys)
    assert found == captions_of(problem, params, frames, keys)
    assert found != captions_of(problem, params, frames, [(1, 0, n) for n in range(60)])
    assert captions_of(problem, params[7:9], frames[7:9], keys[7:9]) == found[7:9]
    levels = []
    for text, one, key in zip(found, draws, keys, strict=True):
        levels += [level for level in LEVELS if text == caption(problem, one, level, key)]
    assert len(levels) == 60 and all(10 <= levels.count(level) <= 30 for level in LEVELS)
    own = captions_of(problem, params[:2], frames[:2], keys[:2], own=lambda p, values, u: f"{values['buoyancy']:.3f}")
    assert own == tuple(f"{one['buoyancy']:.3f}" for one in draws[:2])


def test_regimes_have_their_names():
    unit, box = Grid((8, 8), (1.0, 1.0)), Grid((8, 8), (2 * np.pi,) * 2)

    def said(pde, grid=unit):
        return caption(Problem(grid, pde.fields, dt=1.0, n_frames=2, pde=pde), {}, "medium")

    assert "a maze" in said(GrayScott(2e-5, 1e-5, 0.029, 0.057)) and "spots" in said(GrayScott(2e-5, 1e-5, 0.03, 0.062))
    assert "without a common name" in said(GrayScott(2e-5, 1e-5, 0.05, 0.05))
    for viscosity, k, word in ((1.0, 1, "A laminar"), (0.2, 1, "An unsteady"), (0.01, 4, "A turbulent")):
        assert said(NavierStokes2D(viscosity, forcing=1.0, wavenumber=k), box).startswith(f"{word} Kolmogorov flow")
    assert "decay" in said(NavierStokes2D(0.01), box)


def test_the_published_caption_of_a_cylinder_is_word_for_word():
    assert cylinder_caption(0.0421, 0.3456, 0.1789, 0.5) == (
        "Fluid passes over a cylinder with a radius of 4.21 and position: 0.35, 0.18. Fluid enters with a velocity of "
        "0.50. The Reynolds number is 400. The flow is turbulent."
    )
    assert cylinder_caption(0.02, 0.3, 0.2, 0.4).endswith("number is 150. The flow is fully laminar.")
    assert cylinder_caption(0.05, 0.3, 0.2, 0.3).endswith("number is 280. The flow is transitioning in the wake.")


def test_parameters_of_cylinders_are_read_back_from_full_captions_in_every_wording():
    """R^2 of at least 0.97: the published wording rounds the velocity to 0.01 m/s and the place to a centimetre."""
    generator = np.random.default_rng(0)
    names = ("center_x", "center_y", "radius", "u_inlet")
    draws = generator.uniform((0.25, 0.16, 0.035, 0.06), (0.45, 0.25, 0.06, 0.2), (120, 4))
    problem = Problem(Points(2, 9), CylinderFlow.fields, dt=0.25, n_frames=2, params=names, pde=CylinderFlow())
    numbers = 2 * draws[:, 2] * draws[:, 3] / CylinderFlow().viscosity
    found, published = [], 0
    for n, row in enumerate(draws):
        params = dict(zip(names, row.tolist(), strict=True))
        text = caption(problem, params, "full", (0, 0, n))
        published += text == cylinder_caption(row[2], row[0], row[1], row[3])
        found.append(list(read_cylinder(text).values()))
        medium = read_cylinder(caption(problem, params, "medium", (0, 0, n)))
        assert abs(medium["reynolds_number"] / numbers[n] - 1) < 6e-3 and len(medium) == 1
    assert 20 < published < 60, "a third of the wordings"
    true = np.column_stack((draws, numbers))
    assert (((np.array(found) - true) ** 2).mean(0) < 0.03 * true.var(0)).all()
    thick = dataclasses.replace(problem, pde=CylinderFlow(viscosity=1e-3))
    stated = {read_cylinder(caption(thick, params, "full", (0, 0, n)))["reynolds_number"] for n in range(9)}
    assert all(abs(number - 2 * row[2] * row[3] / 1e-3) < 5.001 for number in stated), "in every wording"
    words = caption(problem, dict(zip(names, (0.3, 0.24, 0.04, 0.18), strict=True)), "short")
    assert words == "Fast fluid flows past a small cylinder close to the upper wall."


@pytest.mark.parametrize(
    "text, name, value",
    [
        ("A cylinder of radius 5 cm.", "radius", 0.05),
        ("a cylinder of radius 50mm, velocity of 12 cm/s", "u_inlet", 0.12),
        ("its radius is 0.05 m, its centre is at x 30 cm and y 0.2 m", "center_x", 0.3),
        ("its centre is at x 30 cm and y 20 cm", "center_y", 0.2),
        ("fluid passes with a radius of 5.00 and position: 0.33, 0.20.", "radius", 0.05),
        ("the mean velocity is 120 mm/s", "u_inlet", 0.12),
    ],
)
def test_units_of_a_prompt_are_converted(text, name, value):
    assert read_cylinder(text)[name] == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    "text, message",
    [
        ("a cylinder of radius 5", "expected a radius between 0 and 0.205 m, .* got 5 m; give its unit, as in '5 cm'"),
        ("a cylinder of radius 2 inches", "expected m, cm or mm after the radius, got 'inches'"),
        ("a cylinder of radius 5 cm/s", "expected m, cm or mm after the radius, got 'cm/s'"),
        ("a velocity of 0.4 km/h", "expected m/s, cm/s or mm/s after the u_inlet, got 'km/h'"),
        ("a velocity of 12 cm", "expected m/s, cm/s or mm/s after the u_inlet, got 'cm'"),
        ("a Reynolds number of 80 m", "expected no unit after the reynolds_number, got 'm'"),
    ],
)
def test_a_prompt_in_units_that_are_not_read_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        read_cylinder(text)


@pytest.mark.parametrize(
    "level, pde, message",
    [("long", GrayScott(), "expected a level of detail among"), ("full", None, "expected a problem with an equation")],
)
def test_what_cannot_be_captioned_is_refused(level, pde, message):
    problem = Problem(Grid((8, 8), (1.0, 1.0)), GrayScott.fields, dt=1.0, n_frames=2, pde=pde)
    with pytest.raises(ValueError, match=message):
        caption(problem, {}, level)


def test_a_user_brings_captions_or_a_function_that_writes_them(tmp_path):
    u = np.sin(np.linspace(0, 9, 4 * 3 * 16)).reshape(4, 3, 1, 16)
    about = {"dt": 0.1, "extent": (1.0,), "fields": [Field("u")]}
    texts = {"train": ["one", "two"], "valid": ["three"], "test": ["four"]}
    data = from_arrays(u[:2], u[2:3], u[3:], **about, text=texts, folder=tmp_path)
    assert data.problem.has_text
    assert [text for batch in data.train_dataloader() for text in batch.text] != []

    def write(problem, params, frame):
        return f"speed {params['speed']:g} starts at {float(frame[0, 0]):.3f}"

    speed = {"train": {"speed": np.array([1.5, 2.5])}, "valid": {"speed": [3.0]}, "test": {"speed": [4.0]}}
    data = from_arrays(u[:2], u[2:3], u[3:], **about, params=speed, text=write)
    (batch,) = data.test_dataloader()
    assert set(batch.text) == {f"speed 4 starts at {u[3, 0, 0, 0]:.3f}"}
    for wrong, message in (
        ({**texts, "train": ["one"]}, "expected a caption for each of 2 samples of the train split, got 1"),
        (["one", "two"], "a caption for each of 1 samples of the valid split, got none"),
        ({**texts, "test": [4]}, "expected texts as captions, got int"),
    ):
        with pytest.raises(ValueError, match=message):
            from_arrays(u[:2], u[2:3], u[3:], **about, text=wrong)
