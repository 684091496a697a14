"""What the cards of the datasets say is what their recipes do."""

import dataclasses
import re
from pathlib import Path

import pytest

from pdekit.recipes.base import SPLITS, BaseRecipe
from pdekit.simulators.joint import JointParams
from tests.recipes.test_configs import CARDS, MARCHED, RECIPES, compose, n_bytes

PAGE = Path(__file__).parents[2] / "docs" / "datasets.md"


@pytest.fixture(scope="module")
def recipes() -> dict[str, BaseRecipe]:
    return {name: compose(name) for name in RECIPES}


def entry(name: str, heading: str) -> str:
    """The paragraph of a card under one of its headings in bold."""
    text = (CARDS / name / "README.md").read_text()
    found = re.search(rf"^\*\*{re.escape(heading)}[^\n]*?:\*\* (.+)$", text, re.MULTILINE)
    assert found, f"datasets/{name}/README.md lacks {heading!r}"
    return found[1]


def numbers(text: str) -> list[float]:
    """All numbers of a text: '64 x 64' gives [64, 64]."""
    return [float(number) for number in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?", text)]


def says(text: str, value: float) -> bool:
    """Whether a text has a number that is this one to the four digits that cards give."""
    return any(abs(number - value) <= 6e-4 * abs(value) for number in numbers(text))


def shape(points: tuple[int, ...]) -> str:
    return " x ".join(map(str, points))


def test_numbers_are_found_in_text():
    assert numbers("21 frames (41 in the test) of 32 x 32, u1, -0.5 to 2e-05.") == [21, 41, 32, 32, -0.5, 2e-5]
    assert says("0 to 44.88 after 40.06", 40.0553) and not says("0 to 44.88", 44.8) and not says("x12", 12)


def test_every_card_belongs_to_a_recipe():
    assert {path.parent.name for path in CARDS.glob("*/README.md")} == set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_fields_and_their_units_are_those_of_the_equation(recipes, name):
    fields, text = recipes[name].problem("train").fields, entry(name, "Fields available in the data")
    named = fields if len(fields) < 10 else (fields[0], fields[-1])  # x0 to x39
    for field in named:
        assert re.search(rf"(?<!\w){field.name}(?!\w)", text), field.name
    assert set(re.findall(r"\(([^)]*)\)", text)) >= {field.unit for field in fields}


@pytest.mark.parametrize("name", RECIPES)
def test_inputs_and_their_units_are_those_of_the_equation(recipes, name):
    coeffs = recipes[name].problem("train").coeffs
    text = entry(name, "Inputs given with each sample") if coeffs else ""
    for coeff in coeffs:
        assert re.search(rf"(?<!\w){coeff.name}(?!\w)", text), coeff.name
    assert set(re.findall(r"\(([^)]*)\)", text)) >= {coeff.unit for coeff in coeffs}


@pytest.mark.parametrize("name", RECIPES)
def test_frames_and_both_grids_are_those_of_the_recipe(recipes, name):
    recipe, text = recipes[name], entry(name, "Dimension of discretized data")
    frames = [recipe.problem(split).n_frames for split in ("train", "test")]
    assert numbers(text)[: len(set(frames))] == list(dict.fromkeys(frames)) or numbers(text)[:2] == frames
    grids = (
        [recipe.grid.shape] if name not in MARCHED else [recipe.grid.shape, recipe.solver_shape or recipe.grid.shape]
    )
    assert all(shape(grid) in text for grid in grids)


@pytest.mark.parametrize("name", RECIPES)
def test_numbers_and_size_of_trajectories_are_those_of_the_recipe(recipes, name):
    recipe = recipes[name]
    assert numbers(entry(name, "Number of trajectories")) == [recipe.n_trajectories[split] for split in SPLITS]
    megabytes = 1e-6 * sum(recipe.n_trajectories[s] * n_bytes(recipe, s) for s in SPLITS)
    (found,) = numbers(entry(name, "Estimated size"))
    assert abs(found - megabytes) < 0.51


@pytest.mark.parametrize("name", RECIPES)
def test_times_are_those_of_the_recipe(recipes, name):
    recipe, problem = recipes[name], recipes[name].problem("train")
    step = entry(name, "Simulation time-step")
    stored, span = entry(name, "Data are stored separated by"), entry(name, "Total time range")
    if problem.steady:
        assert all(text.startswith("none") for text in (step, stored, span))
        return
    assert says(stored, problem.dt)
    assert all(says(span, problem.dt * (recipe.problem(split).n_frames - 1)) for split in ("train", "test"))
    if name in MARCHED:
        assert says(step, recipe.dt / recipe.substeps) and recipe.dtype in step
        assert says(span, recipe.warmup) if recipe.warmup else "warm-up" not in span


@pytest.mark.parametrize("name", RECIPES)
def test_box_and_coefficients_are_those_of_the_recipe(recipes, name):
    recipe, problem = recipes[name], recipes[name].problem("train")
    box = entry(name, "Spatial domain size")
    lengths = recipe.grid.extent if recipe.grid.uniform else (recipe.case.length, recipe.case.height)
    assert all(says(box, length) for length in lengths)
    text = entry(name, "Set of coefficients")
    own = {item.name: getattr(problem.pde, item.name) for item in dataclasses.fields(problem.pde)}
    unused = {f"velocity_{letter}" for letter in "xyz"[recipe.grid.ndim :]}
    for key in own.keys() - set(problem.params) - unused:
        named = f"{key} = {own[key]}" in text if isinstance(own[key], str) else says(text, own[key])
        assert re.search(rf"\b{key} = ", text) and named, key
    for key in problem.params:
        assert re.search(rf"\b{key}\b", text), key
    for key, drawn in recipe.params.items() if name in MARCHED else ():
        alone = not isinstance(recipe.params, JointParams)
        assert f"{key} uniform in" in text or not alone, key
        assert says(text, drawn.low) and says(text, drawn.high), key
    assert set(re.findall(r"(\w+) = ", text)) <= own.keys(), "a card names what is no parameter"


@pytest.mark.parametrize("name", RECIPES)
def test_links_lead_somewhere(name):
    card = CARDS / name / "README.md"
    for target in re.findall(r"\]\(([^)#]+)\)", card.read_text()):
        assert target.startswith("https://") or (card.parent / target).exists(), target


def test_the_page_of_the_site_lists_every_dataset():
    rows = re.findall(r"^\| \{doc\}`(\w+) <cards/(\w+)/README>`", PAGE.read_text(), re.MULTILINE)
    assert [name for name, _ in rows] == [folder for _, folder in rows]
    assert [name for name, _ in rows] == sorted(RECIPES)
    assert (PAGE.parent / "cards").resolve() == CARDS.resolve()


def test_the_page_gives_the_cost_of_every_recipe(recipes):
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| {doc}")]
    for name, row in zip(sorted(RECIPES), rows, strict=True):
        recipe, problem = recipes[name], recipes[name].problem("train")
        if name in MARCHED:
            steps = sum(recipe.work(split, recipe.n_trajectories[split]) for split in SPLITS)
            found, _, solver = row[6].partition(" at ")
            expected = "" if recipe.solver_shape is None else shape(recipe.solver_shape).replace("x", "×")
            assert int(found.replace(" ", "")) == steps and solver == expected, name
        else:
            count = sum(recipe.n_trajectories.values())
            assert row[6].replace(" ", "").startswith(f"{count}solves"), name
        assert row[1:3] == [str(recipe.grid.ndim), str(problem.n_channels)], name
        assert row[3] == (shape(recipe.grid.shape).replace("x", "×") or "none"), name
        assert row[4] == "steady" if problem.steady else says(row[4], problem.dt), name
