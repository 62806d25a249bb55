"""Training's parts on made-up faces: samples, kept features, losses, figures; and dlib's network read from its file."""

import importlib.util
import zlib

import numpy as np
import pytest
import torch

from unpool.errors import DataError, ModelError, RecipeError
from unpool.faces import enlarger, samples, teacher
from unpool.faces.samples import KeptFeatures, RecogniseOptions, cut_out, no_faces
from unpool.faces.task import Recognise
from unpool.train.data.pack import Entry, Pack, write_pack
from unpool.zoo.weights import load_module


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    """A pack of faces of eight people, two of them held out, and one of photographs."""
    folder, rng = tmp_path_factory.mktemp("packs"), np.random.default_rng(0)
    people = [rng.integers(0, 256, (8, 8, 3), dtype=np.uint8) for _ in range(8)]
    faces = []
    for number in range(48):
        who = number % 8
        picture = np.kron(people[who], np.ones((16, 16, 1), np.uint8)) // 2 + rng.integers(
            0, 99, (128, 128, 3), dtype=np.uint8
        )
        columns = {"part": "held-out" if who > 5 else "train", "source": "celeba_aligned"}
        faces.append(Entry(picture, f"celeba_aligned/{who}/{number}.jpg", f"celeba/{who}", columns))
    scene = Entry(rng.integers(0, 256, (150, 300, 3), dtype=np.uint8), "a.jpg", None, {"part": "train"})
    return Pack(write_pack(folder / "faces.pack", faces)), Pack(write_pack(folder / "photos.pack", [scene]))


@pytest.fixture
def recognise(packs, monkeypatch):
    faces, photos = packs
    seen = np.random.default_rng(1).normal(size=(8, 128))[faces.labels].astype(np.float32) * 0.1
    monkeypatch.setattr(samples, "faces", lambda size, data: faces)
    monkeypatch.setattr(samples, "photos", lambda data: photos)
    monkeypatch.setattr(samples, "embeddings", lambda pack, data: seen)
    options = {"begin": "random", "frozen": 3, "embedding": 128}
    return lambda **more: Recognise(RecogniseOptions(**(options | more)))


def batch(made, count, seed=0):
    rng = np.random.default_rng(seed)
    drawn = [made.faces.sample(i, rng) for i in range(count)]
    return {key: torch.stack([one[key] for one in drawn]) for key in drawn[0]}


def test_losses_teach_and_remember(recognise):
    made = recognise()
    given = batch(made, 8)
    assert not made.kept.known(given["place"]).any()
    (loss,) = made.losses(given, 0, torch.Generator().manual_seed(0))
    assert set(loss.log) == {"loss/teacher", "loss/relation", "loss/identity", "loss/quality", "loss/picture"}
    assert made.kept.known(given["place"]).all()
    parameters = [p for network in made.networks.values() for p in network.parameters() if p.requires_grad]
    loss.value.backward(inputs=parameters)
    assert made.network.head.embed.weight.grad is not None
    assert made.network.decoder.out.operation.weight.grad is not None
    assert all(p.grad is None for p in made.network.encoder.stem.parameters())
    (again,) = made.losses(given, 1, torch.Generator().manual_seed(1))
    assert "loss/picture" not in again.log


def test_a_face_to_be_restored_is_poor_even_where_the_others_are_not(recognise):
    """Beside clean faces the decoder would learn to change nothing."""
    made = recognise(poor=0.0, restored=1.0)
    (loss,) = made.losses(batch(made, 8), 0, torch.Generator().manual_seed(0))
    assert loss.log["loss/picture"] > 0.01  # an untrained decoder changes nothing: the loss is what is to be mended


def test_a_remembered_face_costs_no_encoder(recognise, monkeypatch):
    made = recognise()
    given = batch(made, 4)
    next(made.losses(given, 0, torch.Generator().manual_seed(0)))
    monkeypatch.setattr(made.network.encoder, "forward", None)
    next(made.losses(given, 1, torch.Generator().manual_seed(0)))


def test_faces_may_be_new_each_time(recognise):
    made = recognise(variants=0, frozen=0)
    given = batch(made, 4)
    for step in (0, 1):
        next(made.losses(given, step, torch.Generator().manual_seed(0)))
    assert not made.kept.known(given["place"]).any()
    with pytest.raises(RecipeError, match="frozen"):
        recognise(variants=1, frozen=0)


def test_training_goes_on_from_shipped_weights(recognise):
    made = recognise(begin="faces/recogniser", embedding=256, variants=0, frozen=0)
    trained, record = load_module("faces/recogniser")
    assert made.went_on_from == record
    face = torch.rand(2, 3, 112, 112)
    with torch.no_grad():
        assert torch.equal(made.network(face)[0], trained(face)[0])
    with pytest.raises(ModelError, match="another shape"):
        recognise(begin="faces/recogniser", embedding=128, variants=0, frozen=0)


def test_bfloat16_reaches_the_networks_and_not_the_losses(recognise):
    made = recognise(variants=0, frozen=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (loss,) = made.losses(batch(made, 8), 1, torch.Generator().manual_seed(0))
    assert {value.dtype for value in loss.log.values()} == {torch.float32}
    loss.value.backward()


def test_faces_without_a_name_learn_from_the_teacher_alone(recognise, packs, monkeypatch, tmp_path):
    named = packs[0]
    entries = [
        Entry(named[i], f"{i}.jpg", None, {"part": "unnamed", "source": "utkface_aligned"})
        if i % 2
        else Entry(named[i], f"{i}.jpg", f"celeba/{i % 8}", {"part": part, "source": "celeba_aligned"})
        for i in range(48)
        for part in ["held-out" if i % 8 in (4, 6) else "train"]
    ]
    mixed = Pack(write_pack(tmp_path / "mixed.pack", entries))
    seen = np.random.default_rng(1).normal(size=(48, 128)).astype(np.float32)
    monkeypatch.setattr(samples, "faces", lambda size, data: mixed)
    monkeypatch.setattr(samples, "embeddings", lambda pack, data: seen)
    made = recognise(variants=0, frozen=0, sources=("celeba_aligned", "utkface_aligned"))
    assert len(made.faces) == 36
    assert (made.faces.person[1::2] == -1).all()
    assert made.record()["trained_on"] == ("celeba-aligned", "utkface-aligned", "everyday")
    assert len(recognise(variants=0, frozen=0).faces) == 12


def test_figures_and_record(recognise, monkeypatch):
    made = recognise()
    with torch.no_grad():
        figures = made.evaluate()
    assert {"accuracy", "accuracy_112", "accuracy_16", "psnr_16", "threshold", "calibration_slope"} <= set(figures)
    assert figures["psnr_16"] == pytest.approx(figures["psnr_16_bicubic"], abs=1e-4)  # it begins as the identity
    assert made.record()["data_licence"] == "research only"
    # Three sets are asked for and one is here; the record claims no other.
    assert made.options.sources == ("celeba_aligned", "celeba_small", "named_aligned", "own_aligned")
    assert made.record()["trained_on"] == ("celeba-aligned", "everyday")
    assert made.export() is made.network


class _Named:
    """Stands for a pack: names, and a picture of one value for each."""

    def __init__(self, values):
        self.names, self.values = list(values), list(values.values())

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        return np.full((4, 4, 3), self.values[index], np.uint8)


def test_the_teacher_is_not_asked_twice(monkeypatch, tmp_path):
    kept = np.arange(6, dtype=np.float32).reshape(3, 2)
    names = [
        f"{name} {zlib.crc32(np.full((4, 4, 3), value, np.uint8).tobytes()):08x}"
        for name, value in zip("abc", (1, 2, 3))
    ]
    np.savez(tmp_path / "kept.npz", names=np.array(names), embeddings=kept)
    monkeypatch.setattr(teacher, "pack_path", lambda name, data: tmp_path / "kept.npz")
    asked = []
    monkeypatch.setattr(teacher, "_ask", lambda faces: asked.append(len(faces)) or np.full((len(faces), 2), 7.0))
    assert teacher.embeddings(_Named({"c": 3, "a": 1})).tolist() == kept[[2, 0]].tolist()
    assert not asked
    # A new name, and another picture of a known name; what was known stays.
    assert teacher.embeddings(_Named({"a": 1, "d": 4})).tolist() == [kept[0].tolist(), [7, 7]]
    assert teacher.embeddings(_Named({"a": 1, "c": 9})).tolist() == [kept[0].tolist(), [7, 7]]
    assert asked == [1, 1]
    assert teacher.embeddings(_Named({"c": 3, "d": 4})).tolist() == [kept[2].tolist(), [7, 7]]
    assert asked == [1, 1]


def test_too_few_people_to_judge_by_are_one_line(recognise, packs, monkeypatch, tmp_path):
    for name, held, says in (("nobody", (), "nobody in celeba_aligned"), ("one", (7,), "make fewer than 5 pairs")):
        entries = [
            Entry(packs[0][i], f"{i}.jpg", f"celeba/{i % 8}", {"part": part, "source": "celeba_aligned"})
            for i in range(16)
            for part in ["held-out" if i % 8 in held else "train"]
        ]
        few = Pack(write_pack(tmp_path / f"{name}.pack", entries))
        monkeypatch.setattr(samples, "faces", lambda size, data, few=few: few)
        monkeypatch.setattr(samples, "embeddings", lambda pack, data: np.ones((16, 128), np.float32))
        with pytest.raises(DataError, match=says):
            recognise(sources=("celeba_aligned",))


def test_held_out_people_do_not_train(recognise):
    made = recognise()
    assert len(made.faces) == 36
    assert (made.faces.person[made.faces.pack.where(part="held-out")] == -1).all()
    assert made.faces.name(0).startswith("celeba_aligned/")


def test_a_sample_is_a_function_of_its_seed(recognise):
    made = recognise()
    one, same, other = (made.faces.sample(3, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert all(torch.equal(torch.as_tensor(one[key]), torch.as_tensor(same[key])) for key in one)
    assert not torch.equal(one["cut"], other["cut"])


def test_the_plain_cut_is_the_standard_crop():
    picture = torch.randint(0, 256, (1, 3, 128, 128), dtype=torch.uint8)
    plain = torch.tensor([[[112 / 128, 0, 0], [0, 112 / 128, 0.0]]])
    torch.testing.assert_close(cut_out(picture, plain), picture[..., 8:120, 8:120] / 255, atol=1e-4, rtol=0)
    assert cut_out(picture[:0], plain[:0]).shape == (0, 3, 112, 112)


def test_kept_features_come_back_in_order():
    kept = KeptFeatures(5, 2, 3)
    place = torch.tensor([[0, 1], [3, 0]])
    new = torch.tensor([[1.0], [2.0]])
    assert torch.equal(kept.exchange(place, torch.tensor([True, True]), new), new)
    mixed = torch.tensor([[3, 0], [4, 1], [0, 1]])
    assert kept.known(mixed).tolist() == [True, False, True]
    got = kept.exchange(mixed, ~kept.known(mixed), torch.tensor([[7.0]]))
    assert got.tolist() == [[2.0], [7.0], [1.0]]


def test_pictures_without_a_face_stay_in_range():
    made = no_faces(torch.randint(0, 256, (20, 3, 112, 112), dtype=torch.uint8), torch.Generator().manual_seed(0))
    assert made.shape == (20, 3, 112, 112)
    assert 0 <= float(made.min()) <= float(made.max()) <= 1


def test_an_enlarger_learns_from_faces_that_fill_the_frame(monkeypatch, tmp_path):
    whole = np.full((128, 128, 3), 200, np.uint8)
    cut, half = whole.copy(), whole.copy()
    cut[:, :12], half[:, :64] = 0, 0
    entries = [
        Entry(face, name, person, {"part": part, "source": source})
        for face, name, person, part, source in (
            (whole, "celeba_aligned/1/1.jpg", "celeba/1", "train", "celeba_aligned"),
            (whole, "celeba_aligned/2/1.jpg", "celeba/2", "held-out", "celeba_aligned"),
            (whole, "named_aligned/a/bollywood_1.jpg", "named/a", "train", "named_aligned"),
            (cut, "all_age_faces_aligned/1.jpg", None, "unnamed", "all_age_faces_aligned"),
            (half, "all_age_faces_aligned/2.jpg", None, "unnamed", "all_age_faces_aligned"),
        )
    ]
    pack = Pack(write_pack(tmp_path / "faces.pack", entries))
    monkeypatch.setattr(enlarger, "faces", lambda size, data: pack)
    samples = enlarger.SharpFaces(enlarger.EnlargeOptions(), None)
    assert [samples.name(i) for i in range(len(samples))] == [
        "celeba_aligned/1/1.jpg",
        "celeba_aligned/1/1.jpg",
        "all_age_faces_aligned/1.jpg",
    ]
    assert (samples.sample(2, np.random.default_rng(0))["face"] == 200).all()


@pytest.mark.parametrize("loss", ["psnr", "charbonnier"])
def test_the_enlarger_learns(packs, monkeypatch, loss):
    monkeypatch.setattr(enlarger, "faces", lambda size, data: packs[0])
    made = enlarger.Enlarge(enlarger.EnlargeOptions(channels=(8, 4, 4), blocks=1, loss=loss))
    dataset = made.dataset()
    assert len(dataset) == 72
    faces = torch.stack([dataset.sample(i, np.random.default_rng(i))["face"] for i in range(4)])
    optimiser = torch.optim.Adam(made.networks["enlarger"].parameters(), 3e-3)
    values = []
    for step in range(12):
        (loss,) = made.losses({"face": faces}, step, torch.Generator())
        optimiser.zero_grad()
        loss.value.backward()
        optimiser.step()
        values.append(float(loss.value.detach()))
    assert values[-1] < values[0]
    with torch.no_grad():
        assert {"psnr", "psnr_bicubic", "ssim"} <= set(made.evaluate())


@pytest.mark.skipif(
    importlib.util.find_spec("dlib") is None or importlib.util.find_spec("face_recognition_models") is None,
    reason="dlib and its models are not installed",
)
def test_dlibs_network_in_torch_equals_dlibs_own():
    import dlib
    from skimage.data import astronaut

    from unpool.faces.dlib_network import DlibRecogniser, dlib_chips, model_file
    from unpool.faces.peers import eight

    chip = dlib_chips([astronaut()], [astronaut()], (178, 70, 275, 167))
    own = dlib.face_recognition_model_v1(str(model_file())).compute_face_descriptor(eight(chip)[0])
    with torch.no_grad():
        found = DlibRecogniser()(chip)[0]
    np.testing.assert_allclose(found.numpy(), np.array(own), atol=1e-5)
