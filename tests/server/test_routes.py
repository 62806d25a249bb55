"""What the routes answer."""

import io
import json

from PIL import Image

from unpool.generation.api import pictured
from unpool.zoo.weights import shipped


def opened(answer):
    return Image.open(io.BytesIO(answer.content))


def test_explain(client, picture):
    answer = client.post("/v1/explain?method=grad-cam&target=281", content=picture(0))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    assert opened(answer).size == (224, 224)
    assert json.loads(answer.headers["X-Unpool-Explanation"])["method"] == "grad-cam"


def test_restore_where_there_are_weights(client, picture):
    if not any(name.startswith("restoration/sr-x4") for name in shipped()):
        assert client.post("/v1/restore", content=picture(0)).status_code == 404
        return
    answer = client.post("/v1/restore?scale=4&task=sr", content=picture(0))
    assert answer.status_code == 200, answer.text
    assert opened(answer).size == (80, 96)
    assert client.post("/v1/restore?scale=4", content=picture(0, size=(90, 90))).status_code == 422


def test_compress_and_back_where_there_are_weights(client, picture):
    if not any(name.startswith("codec/") for name in shipped()):
        assert client.post("/v1/compress", content=picture(0)).status_code == 404
        return
    coded = client.post("/v1/compress?lossless=true", content=picture(0))
    assert coded.status_code == 200
    back = client.post("/v1/decompress", content=coded.content)
    assert list(opened(back).getdata()) == list(Image.open(io.BytesIO(picture(0))).getdata())
    broken = client.post("/v1/decompress", content=coded.content[:-4])
    assert broken.status_code == 422


def test_generate_where_there_are_weights(client):
    models = pictured()
    if not models:
        assert client.get("/v1/generate").status_code == 404
        return
    one, other = (client.get(f"/v1/generate?model={models[0]}&seed=3") for _ in range(2))
    assert one.status_code == 200, one.text
    assert one.content == other.content
    assert client.get("/v1/generate?model=../../secret").status_code == 422


def test_a_gallery_from_enrolment_to_erasure(client, picture):
    people = "/v1/galleries/staff/people"
    assert client.get(people).status_code == 404
    for number, name in enumerate(("Ada Lovelace", "Bob")):
        answer = client.post(f"{people}/{name}", content=picture(number))
        assert answer.status_code == 200, answer.text
        assert answer.json()["name"] == name
    assert [person["name"] for person in client.get(people).json()["people"]] == ["Ada Lovelace", "Bob"]
    (face,) = client.post("/v1/galleries/staff/identify", content=picture(0)).json()["faces"]
    assert face["name"] == "Ada Lovelace"
    (face,) = client.post("/v1/galleries/staff/identify", content=picture(77)).json()["faces"]
    assert face["name"] is None
    assert client.post("/v1/galleries/staff/verify/Bob", content=picture(1)).json()["same"] is True
    assert client.post("/v1/galleries/staff/verify/Bob", content=picture(0)).json()["same"] is False
    assert client.delete(f"{people}/Bob").status_code == 200
    assert client.delete(f"{people}/Bob").status_code == 422
    assert client.get("/v1/galleries/Bad_Name/people").status_code == 422


def test_openapi_describes_every_error(client):
    schema = client.get("/v1/openapi.json").json()
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            assert operation["summary"]
            if path.startswith("/v1"):
                assert {"401", "403", "422", "429"} <= set(operation["responses"]), path
