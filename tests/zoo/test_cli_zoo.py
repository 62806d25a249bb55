"""The commands models, export and bench, through the door that users take."""

import json
import sys

import pytest

from unpool.cli import main


@pytest.fixture
def unpool(monkeypatch, capsys):
    """The command, in this process: arguments to (status, output, errors)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["unpool", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


def test_models_lists_and_filters(unpool):
    listed = json.loads(unpool("models", "--json")[1])["models"]
    first = listed[0]
    assert first["name"] == "efficientnet-lite0"
    assert first["bytes"] > 1e7
    commercial = json.loads(unpool("models", "--json", "--licence", "commercial")[1])["models"]
    research = json.loads(unpool("models", "--json", "--licence", "research")[1])["models"]
    assert {m["name"] for m in commercial} | {m["name"] for m in research} == {m["name"] for m in listed}
    assert all(m["data_licence"] == "commercial" for m in commercial)
    assert "efficientnet-lite0" in unpool("models", "--task", "classification")[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("models", "--task", "juggling"),
        ("models", "--licence", "none"),
        ("export", "nobody", "-o", "x.onnx"),
        ("bench", "juggling"),
    ],
)
def test_mistakes_are_one_line(unpool, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = unpool(*arguments)
    assert status == 2
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_export_writes_what_it_says(unpool, tmp_path):
    import onnxruntime

    answer = json.loads(unpool("export", "efficientnet-lite0", "-o", tmp_path / "net.onnx", "--json")[1])
    assert answer["difference"] <= 1e-4
    assert (tmp_path / "net.onnx").stat().st_size == answer["bytes"]
    assert onnxruntime.InferenceSession(tmp_path / "net.onnx").get_inputs()[0].shape == ["batch", 3, 224, 224]


def test_bench_writes_json_with_hardware(tmp_path, monkeypatch, capsys):
    from types import ModuleType

    from unpool.cli import bench

    module = ModuleType("unpool.fake.bench")
    module.bench = lambda *, quick, data, report: {
        "gain_db": 1.5,
        "table": {"ours": {"psnr": 30.0}},
        "list": [{"a": 1}],
    }
    monkeypatch.setitem(sys.modules, "unpool.fake.bench", module)
    monkeypatch.setitem(sys.modules, "unpool.fake", ModuleType("unpool.fake"))
    monkeypatch.setattr("torch.set_num_threads", lambda count: None)
    monkeypatch.setattr(bench, "benches", lambda: {"fake": "unpool.fake.bench"})
    bench.bench("fake", quick=True, to=tmp_path / "out.json", data=None)
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["gain_db"] == 1.5
    assert written["quick"] is True
    assert written["hardware"]["versions"]["torch"]
    assert "gain_db" in capsys.readouterr().out
