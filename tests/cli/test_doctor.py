"""What `unpool doctor` says, and when it complains."""

import json

import pytest
from typer.testing import CliRunner

from unpool.cli import doctor
from unpool.errors import ModelError
from unpool.zoo import weights

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def found():
    return json.loads(RUNNER.invoke(doctor.app, ["--json"]).stdout)


def test_json_says_what_is_here(found):
    assert found["problems"] == []
    assert found["threads"] >= 1
    assert isinstance(found["bf16_hardware"], bool)
    assert found["computes_in"] in ("float32", "bfloat16")
    assert all(found["packages"].values())
    names = [one["name"] for one in found["weights"]]
    assert names[0] == "efficientnet-lite0"
    assert set(weights.shipped()) <= set(names)


def test_every_extra_says_what_installs_it(found):
    assert {"faces", "plots", "export"} <= set(found["extras"])
    for name, extra in found["extras"].items():
        assert extra["install"] == f'pip install "unpool[{name}]"'
        assert extra["present"] == (not extra["missing"])


def test_text_for_people():
    done = RUNNER.invoke(doctor.app, [])
    assert done.exit_code == 0
    for words in ("unpool", "torch", "bf16", "efficientnet-lite0: hash right", "everything needed is here"):
        assert words in " ".join(done.stdout.split()), words


def test_damaged_weights_are_named_and_give_status_1(monkeypatch):
    def damaged(name):
        raise ModelError(f"{name}: the weights do not match their hash")

    monkeypatch.setattr(weights, "load_module", damaged)
    done = RUNNER.invoke(doctor.app, ["--json"])
    assert done.exit_code == 1
    assert "do not match their hash" in json.loads(done.stdout)["problems"][0]


def test_a_missing_package_of_an_extra_is_named(monkeypatch):
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "matplotlib" else real(name))
    plots = doctor.examine()["extras"]["plots"]
    assert not plots["present"]
    assert plots["missing"][0].startswith("matplotlib")
    said = " ".join(RUNNER.invoke(doctor.app, []).stdout.split())
    assert 'pip install "unpool[plots]"' in said
