"""Recipes: validated, with the nearest key named; settings laid over them."""

import pytest

from unpool.errors import RecipeError
from unpool.train import recipe as recipes
from unpool.train.recipe import Budget, Recipe

HEAD = "name: toys/toy\ntask: unpool.train.task:Task\n"


def written(tmp_path, text):
    path = tmp_path / "toy.yaml"
    path.write_text(text)
    return str(path)


def test_every_shipped_recipe_validates_and_its_task_takes_its_options():
    for name, path in recipes.shipped().items():
        chosen = recipes.load(str(path))
        assert chosen.name == name
        assert chosen.about
        assert {"cpu", "gpu"} <= set(chosen.budget), name
        cls = recipes._resolve(chosen.task)
        recipes.validated(cls.Options, chosen.options, name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bacth: 3", "unknown key 'bacth'; did you mean 'batch'"),
        ("optimiser: {learning: 3}", "unknown key 'optimiser.learning'"),
        ("optimiser: {shedule: cosine}", "did you mean 'schedule'"),
        ("optimisers: {a: {weight_deacy: 1}}", "did you mean 'weight_decay'"),
        ("budget: {cpu: {setps: 1}}", "did you mean 'steps'"),
        ("budget: {cpu: {steps: 1, minutes: 2}}", "either steps or minutes"),
        ("batch: many", "batch: "),
        ("seed: -1", "seed: "),
        (f"seed: {2**63}", "seed: "),
        ("optimiser: {betas: [2, 3]}", "optimiser.betas.0: "),
        ("ema: -1", "ema"),
        ("budget: {cpu: {minutes: .inf}}", "budget.cpu.minutes: "),
        ("batch: [", "not a readable recipe"),
        ("- 1", "not a readable recipe"),
    ],
)
def test_mistakes_are_named(tmp_path, text, message):
    with pytest.raises(RecipeError, match=message.replace("[", r"\[")):
        recipes.load(written(tmp_path, HEAD + text))


def test_a_list_is_no_recipe(tmp_path):
    with pytest.raises(RecipeError, match="a mapping of keys"):
        recipes.load(written(tmp_path, "- a\n- b\n"))


def test_binary_file_is_no_recipe(tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="not a readable recipe"):
        recipes.load(str(path))


def test_settings(tmp_path):
    path = written(tmp_path, HEAD + "options: {scale: 4}\n")
    chosen = recipes.load(path, ["batch=3", "optimiser.lr=1e-4", "scale=2", "layer=conv1", "ema=0.99"])
    assert chosen.batch == 3
    assert chosen.optimiser.lr == 1e-4
    assert chosen.options == {"scale": 2, "layer": "conv1"}
    assert chosen.ema == 0.99
    path = written(tmp_path, HEAD + "options:\n")
    assert recipes.load(path, ["scale=2"]).options == {"scale": 2}
    with pytest.raises(RecipeError, match="name: "):
        recipes.load(path, ["scale=2", "name=foo/"])


@pytest.mark.parametrize("setting", ["batch", "=3", "batch.x=3", "batch=["])
def test_bad_settings(tmp_path, setting):
    with pytest.raises(RecipeError):
        recipes.load(written(tmp_path, HEAD + "batch: 4"), [setting])


def test_unknown_recipe_names_the_nearest():
    names = list(recipes.shipped())
    with pytest.raises(RecipeError, match="no recipe 'nothing-like-it'"):
        recipes.load("nothing-like-it")
    if names:
        with pytest.raises(RecipeError, match=f"did you mean .*{names[0]}"):
            recipes.load(names[0] + "x")


def test_task_that_is_none(tmp_path):
    for task in ("unpool.nowhere:Task", "unpool.train.task:Nothing", "unpool.errors:UnpoolError", "missing.py:Task"):
        with pytest.raises(RecipeError, match="task "):
            Recipe(name="a/b", task=task).make_task()


def test_budget_is_one_thing():
    assert Budget(steps=3).minutes is None
    with pytest.raises(ValueError, match="either steps or minutes"):
        Budget()
