"""Pictures to codes and back through the predictor, a weight file, and `unpool embed`."""

import csv
import io
import json
import sys

import numpy as np
import pyarrow.parquet
import pytest
import skimage.data
import torch
from PIL import Image

import unpool
from unpool.autoencoders.api import Coder, to_8_bit
from unpool.autoencoders.model import Autoencoder
from unpool.autoencoders.quantised import VectorQuantised
from unpool.cli import main
from unpool.errors import ModelError, PictureError
from unpool.zoo.record import Preprocessing, Record
from unpool.zoo.weights import save

CONFIG = {"size": [24, 16], "code": 6, "widths": [4, 8], "strides": [2, 2], "blocks": 0, "squeeze": 4, "grid": 4}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    record = Record(
        name="autoencoders/tiny",
        task="autoencoders",
        network="unpool.autoencoders.model:Autoencoder",
        config=CONFIG,
        preprocessing=Preprocessing(size=(24, 16)),
    )
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save(path, Autoencoder(**CONFIG), record)
    return path


@pytest.fixture(scope="module")
def coder(weights) -> Coder:
    return unpool.load(weights, device="cpu")


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(skimage.data.chelsea()).save(folder / "cat.png")
    Image.fromarray(skimage.data.astronaut()).save(folder / "astronaut.webp", lossless=True)
    Image.fromarray(skimage.data.camera()).save(folder / "camera.tif")
    return folder


def test_whatever_is_a_picture_goes_in(coder):
    array = skimage.data.chelsea()
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    tensor = torch.from_numpy(array.transpose(2, 0, 1).copy()).float() / 255
    codes = coder.encode([array, file.getvalue(), Image.fromarray(array), tensor, unpool.read(array)])
    assert codes.shape == (5, 6)
    assert codes.dtype == np.float32
    np.testing.assert_allclose(codes, np.repeat(codes[:1], 5, 0), atol=2e-3)
    assert coder.encode(array).shape == (1, 6)
    np.testing.assert_allclose(coder.encode(np.stack([array, array])), codes[[0, 0]], atol=1e-6)
    assert coder.encode(skimage.data.camera()).shape == (1, 6)


def test_many_pictures_equal_each_alone(coder):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (24, 16, 3), dtype=np.uint8) for _ in range(70)]
    together = coder.encode(pictures)
    np.testing.assert_allclose(together[[0, 33, 69]], [coder.encode(pictures[i])[0] for i in (0, 33, 69)], atol=1e-5)


def test_codes_come_back_as_pictures(coder):
    codes = coder.encode([skimage.data.chelsea(), skimage.data.astronaut()])
    made = coder.decode(codes)
    assert [(p.height, p.width, p.grey) for p in made] == [(24, 16, False)] * 2
    assert (coder.decode(codes[0])[0].samples == made[0].samples).all()
    assert (coder.reconstruct(skimage.data.chelsea())[0].samples == made[0].samples).all()
    between = coder.between(*codes, steps=4)
    assert (between[0].samples == made[0].samples).all()
    assert (between[-1].samples == made[1].samples).all()
    with pytest.raises(ModelError, match=r"\(N, 6\)"):
        coder.decode(np.zeros((2, 5)))


def test_error_is_the_mean_square_at_the_networks_size(coder):
    picture = skimage.data.chelsea()
    seen, made = coder.prepare(picture), coder.decode_tensor(coder.encode(picture))
    assert coder.error(picture)[0] == pytest.approx(float((seen - made).square().mean()), rel=1e-5)


def test_eight_bits_are_within_half_a_step():
    codes = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    codes[:, 0] = 3.0
    small, low, step = to_8_bit(codes)
    assert small.dtype == np.uint8
    assert (np.abs(low + step * small - codes) <= 0.501 * step + 1e-6).all()


def test_quantised_codes_are_integers():
    record = Record(name="a/vq", task="autoencoders", network="unpool.autoencoders.quantised:VectorQuantised")
    network = VectorQuantised(size=(16, 16), entries=8, width=4, widths=[4, 8], strides=[2, 2], blocks=0).eval()
    coder = Coder(network, record, torch.device("cpu"))
    codes = coder.encode(skimage.data.chelsea())
    assert codes.dtype == np.int64
    assert coder.decode(codes)[0].width == 16


def test_other_networks_are_refused():
    record = Record(name="a/b", task="autoencoders", network="unpool.nn.towers:Encoder")
    with pytest.raises(ModelError, match="family"):
        Coder(torch.nn.Linear(1, 1), record, torch.device("cpu"))


def embed(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["unpool", "embed", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


@pytest.mark.parametrize("suffix", ["parquet", "npz", "csv"])
def test_embed_writes_a_row_a_picture(monkeypatch, capsys, tmp_path, photos, weights, coder, suffix):
    out = tmp_path / f"codes.{suffix}"
    status, said, _ = embed(monkeypatch, capsys, photos, photos / "cat.png", "-o", out, "--model", weights, "--json")
    assert status == 0
    assert json.loads(said) == {"path": str(out), "rows": 4, "numbers": 6, "model": str(weights)}
    if suffix == "parquet":
        table = pyarrow.parquet.read_table(out)
        names, codes, errors = (table[c].to_pylist() for c in ("path", "code", "error"))
        assert table.schema.metadata[b"sha256"].decode() == coder.record.sha256
    elif suffix == "npz":
        with np.load(out) as file:
            names, codes, errors = (file[c].tolist() for c in ("path", "code", "error"))
    else:
        with open(out, newline="") as file:
            rows = list(csv.reader(file))[1:]
        names, errors = [row[0] for row in rows], [float(row[1]) for row in rows]
        codes = [[float(v) for v in row[2:]] for row in rows]
    assert [name.rsplit("/", 1)[1] for name in names] == ["astronaut.webp", "camera.tif", "cat.png", "cat.png"]
    np.testing.assert_allclose(codes, coder.encode(names), atol=1e-4)
    np.testing.assert_allclose(errors, coder.error(names), rtol=1e-3)


def test_embed_mistakes_are_one_line_and_leave_nothing(monkeypatch, capsys, tmp_path, photos, weights):
    broken = photos / "broken.png"
    broken.write_bytes(b"no picture")
    for arguments in (
        (photos / "cat.png", "-o", tmp_path / "codes.doc", "--model", weights),
        (photos / "cat.png", "-o", tmp_path / "no" / "codes.csv", "--model", weights),
        (photos / "cat.png", "-o", tmp_path / "codes.csv", "--model", "efficientnet-lite0"),
        (photos, "-o", tmp_path / "codes.csv", "--model", weights),
        (tmp_path / "nothing.png", "-o", tmp_path / "codes.csv", "--model", weights),
    ):
        status, said, complaint = embed(monkeypatch, capsys, *arguments)
        assert status == 2
        assert said == ""
        assert len(complaint.strip().splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["photos"]


def test_what_is_no_picture_is_said(coder):
    with pytest.raises(PictureError):
        coder.encode(b"nothing")


def test_embed_draws_a_map(monkeypatch, capsys, tmp_path, weights):
    rng = np.random.default_rng(0)
    folder = tmp_path / "few"
    folder.mkdir()
    for number in range(12):
        coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((40, 40)).save(folder / f"{number}&.png")
    page = tmp_path / "map.html"
    arguments = [folder, "-o", tmp_path / "codes.npz", "--model", weights, "--map", page]
    assert embed(monkeypatch, capsys, *arguments)[0] == 0
    written = page.read_text()
    assert written.count("<img ") == 12
    assert "trustworthiness" in written
    assert "11&amp;.png" in written
    assert "http" not in written.replace("http-equiv", "")
