import json

import numpy as np
import pytest
import torch
from PIL import Image

import unpool
from unpool.errors import UnpoolError
from unpool.generation.api import Generation, copies, generate, grid, load_generation, pictured
from unpool.generation.export import MANIFEST, again, animate, export
from unpool.generation.pictures import Pictures
from unpool.zoo.weights import shipped


@pytest.fixture(scope="module")
def made(plain):
    return load_generation(plain, "cpu")


def test_seeds_repeat_and_do_not_depend_on_the_count(plain):
    many, one = generate(plain, 5, seed=3), generate(plain, 1, seed=6)
    assert many[0].samples.shape == (16, 16, 3)
    np.testing.assert_array_equal(many[3].samples, one[0].samples)
    assert (many[0].samples != many[1].samples).any()


def test_truncation_narrows(made):
    wide, narrow = (made.tensor(made.latents(20, truncation=t)[0]).std(0).mean() for t in (1.0, 0.3))
    assert narrow < wide
    assert made.tensor(made.latents(3, truncation=0.0)[0]).std(0).max() < 1e-6


def test_classes(classy):
    made = load_generation(classy, "cpu")
    assert made.latents(5, seed=1)[1].tolist() == [1, 2, 0, 1, 2]
    assert made.latents(2, label=2)[1].tolist() == [2, 2]
    assert generate(classy, 2)[0].grey
    with pytest.raises(UnpoolError, match="classes 0 to 2"):
        generate(classy, 1, label=3)


def test_mistakes(plain, made):
    with pytest.raises(UnpoolError, match="no classes"):
        generate(plain, 1, label=0)
    with pytest.raises(UnpoolError, match="at least 1"):
        generate(plain, 0)
    with pytest.raises(UnpoolError, match="between 0 and 1"):
        generate(plain, 1, truncation=2)
    with pytest.raises(UnpoolError, match="between 0 and 2"):
        generate(plain, 1, seed=-1)
    with pytest.raises(UnpoolError, match="no model"):
        generate("juggling")
    with pytest.raises(UnpoolError, match="2 steps"):
        made.between(*made.latents(2)[0], 1)
    with pytest.raises(UnpoolError, match="directions"):
        made.directions(99)


def test_a_way_ends_where_it_should_and_keeps_its_length(made):
    start, end = made.latents(2)[0]
    way = made.between(start, end, 9)
    assert torch.equal(way[0], start)
    assert torch.equal(way[-1], end)
    lengths = way.norm(dim=1)
    assert lengths.min() > 0.9 * min(start.norm(), end.norm())
    torch.testing.assert_close(made.between(start, start, 3), start.repeat(3, 1))
    torch.testing.assert_close(made.mix(start, end, 0.5), way[4])


def test_directions_change_the_picture_more_than_random_ones(made):
    found = made.directions(3)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
    latent = torch.zeros(1, 8)

    def change(direction):
        return (made.module.responses(latent + direction) - made.module.responses(latent)).norm()

    random = torch.nn.functional.normalize(torch.randn(50, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    assert change(found[0]) > torch.stack([change(d) for d in random]).mean()
    assert made.along(latent[0], found[0], steps=5).shape == (5, 8)


@pytest.mark.parametrize("samples", [2000, 20])
def test_directions_are_the_same_every_time(made, samples):
    assert made.module.responses(torch.zeros(1, 8)).numel() > 20  # so both ways to the components are taken
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        found.append(made.directions(3, samples=samples))
    assert torch.equal(*found)
    assert torch.equal(found[0].abs().amax(1), found[0].amax(1))
    latents = torch.randn(samples, 8, generator=torch.Generator().manual_seed(0))
    responses = made.module.responses(latents).flatten(1).detach()
    components = torch.linalg.svd(responses - responses.mean(0), full_matrices=False)[0][:, :3]
    expected = torch.nn.functional.normalize(torch.linalg.lstsq(components, latents).solution, dim=1)
    torch.testing.assert_close((found[0] * expected).sum(1).abs(), torch.ones(3), atol=1e-3, rtol=0)


def test_projection_finds_a_generated_picture_again(made, classy):
    latents, _ = made.latents(1, seed=4)
    found = made.project(made.pictures(latents)[0], steps=100)
    assert found.error < 1e-3
    assert found.label is None
    classed = load_generation(classy, "cpu")
    latents, labels = classed.latents(1, seed=5, label=1)
    assert classed.project(classed.pictures(latents, labels)[0], steps=100).label == 1


def test_export_can_be_made_again(made, tmp_path):
    files = export(made, tmp_path / "out", 3, seed=10, truncation=0.8)
    lines = (tmp_path / "out" / MANIFEST).read_text().splitlines()
    assert [json.loads(line)["seed"] for line in lines] == [10, 11, 12]
    for file, line in zip(files, lines):
        np.testing.assert_array_equal(unpool.read(file).samples, again(line, made).samples)
    with pytest.raises(UnpoolError, match="already"):
        export(made, tmp_path / "out", 1)
    with pytest.raises(UnpoolError, match="not a line"):
        again("{}", made)
    other = json.loads(lines[0]) | {"sha256": "0" * 64}
    with pytest.raises(UnpoolError, match="other weights"):
        again(other, made)


def test_animation_and_grid(made, tmp_path):
    pictures = made.pictures(made.latents(5)[0])
    animate(pictures, tmp_path / "way.webp")
    with Image.open(tmp_path / "way.webp") as opened:
        assert opened.n_frames == 8
    with pytest.raises(UnpoolError, match="webp"):
        animate(pictures, tmp_path / "way.gif")
    assert grid(pictures).samples.shape == (32, 48, 3)
    with pytest.raises(UnpoolError, match="at least one"):
        grid([])


def test_load_gives_a_generation(plain):
    assert isinstance(unpool.load(plain, device="cpu"), Generation)


def test_the_nearest_training_picture_of_a_training_picture_is_itself(made, monkeypatch):
    shown = np.random.default_rng(0).integers(0, 256, (7, 16, 16, 3), dtype=np.uint8)
    known = Pictures(shown, np.zeros(7, np.int64), names=[str(i) for i in range(7)])
    monkeypatch.setattr("unpool.generation.pictures.pictures", lambda *_: known)
    monkeypatch.setattr("unpool.generation.features.features", lambda x, of: x.flatten(1))
    found = copies(made, [shown[5], shown[2]])
    assert [distance for _, distance in found] == pytest.approx([0, 0], abs=0.02)
    np.testing.assert_array_equal(found[1][0].samples, shown[2])


def test_only_generators_of_pictures_are_offered_as_such():
    assert set(pictured()) <= {"faces", "fashion"}
    if "generation/digits" in shipped():
        with pytest.raises(UnpoolError, match="no pictures"):
            load_generation("digits", "cpu")
