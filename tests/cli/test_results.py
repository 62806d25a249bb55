"""The page of results, its plots and comparisons, on made-up answers of benches."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from unpool.cli import bench, results
from unpool.errors import UnpoolError

MACHINE = {"cpu": "some cpu", "threads": 2, "versions": {"torch": "9.9", "dlib": None}, "date": "2026-01-02T00:00:00"}
CODEC = {
    "wing": "codec",
    "quick": False,
    "covers": "everything",
    "bd_rate_vs_webp": 12.5,
    "bd_rate_vs_jpeg": -20.0,
    "lossless_vs_png_percent": None,
    "points": {f"unpool {n}": {"bits_per_pixel": n + 0.5, "psnr_rgb": 30.0 + n} for n in range(3)},
    "against": {"a|b": {"rate": 1.0}},
    "hardware": MACHINE,
    "seconds": 7.0,
}
RESTORATION = {
    "wing": "restoration",
    "quick": True,
    "set5_x2_psnr_y": 38.0,
    "enlarging": [
        {"set": "set5", "scale": 2, "method": "FSRCNN (Dong et al. 2016), published", "psnr_y": 37.0},
        {"set": "set5", "scale": 2, "method": "IMDN (Hui et al. 2019), published", "psnr_y": 38.0},
    ],
    "hardware": MACHINE,
    "seconds": 7.0,
}


@pytest.fixture
def folder(tmp_path):
    """A folder of JSON files, and room for the page."""
    (tmp_path / "benchmarks").mkdir()
    for answer in (CODEC, RESTORATION):
        (tmp_path / "benchmarks" / f"{answer['wing']}.json").write_text(json.dumps(answer))
    return tmp_path / "benchmarks"


def section(page, title):
    """What stands under a heading."""
    return page.split(f"{title}\n", 1)[1].split("\n#", 1)[0]


def test_page_names_losses_and_machines(folder, tmp_path):
    newer_but_quick = CODEC | {"quick": True, "bd_rate_vs_webp": -99.0, "hardware": MACHINE | {"date": "2027-01-01"}}
    (folder / "codec-quick.json").write_text(json.dumps(newer_but_quick))
    done = CliRunner().invoke(bench.app, ["results", "--json-folder", str(folder), "--page", str(tmp_path / "r.md")])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "r.md").read_text()
    assert "WebP | 0 |" in section(page, "### Where unpool loses")
    assert "IMDN" in section(page, "### Even")
    wins = section(page, "### Where unpool wins")
    assert "FSRCNN" in wins
    assert "-20" in wins
    assert "-99" not in page
    assert "A full run of 2026-01-02 in 7 seconds (`codec.json`)" in page
    assert "torch 9.9" in page
    assert "| lossless_vs_png_percent | not measured |" in page
    assert "a\\|b" in page
    drawn = (tmp_path / "pictures" / "results" / "codec.svg").read_text()
    assert "bits per pixel" in drawn
    assert "](pictures/results/codec.svg)" in page


def test_plots_repeat_byte_for_byte(tmp_path):
    for name in ("a.svg", "b.svg"):
        assert results.plot(CODEC, tmp_path / name) == "PSNR of RGB, dB over bits per pixel"
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert results.plot(RESTORATION, tmp_path / "c.svg") is None


def test_compare_says_what_changed(folder):
    after = json.loads(json.dumps(RESTORATION))
    after["enlarging"][1]["psnr_y"] = 41.8
    after |= {"seconds": 9.0, "added": True, "hardware": MACHINE | {"cpu": "another"}}
    (folder / "after.json").write_text(json.dumps(after))
    rows = results.compared(folder / "restoration.json", folder / "after.json")
    assert [row["change"] for row in rows] == ["+10.0 %", ""]
    assert "IMDN" in rows[0]["figure"]
    assert rows[1]["before"] is None
    done = CliRunner().invoke(bench.app, ["compare", *[str(folder / "after.json")] * 2])
    assert done.output.strip() == "nothing changed"


def test_files_that_are_none_are_named(folder, tmp_path):
    (folder / "other.json").write_text("[1]")
    for path in (folder / "other.json", folder / "missing.json"):
        with pytest.raises(UnpoolError, match=path.name):
            results.read(path)
    with pytest.raises(UnpoolError, match="bench all"):
        results.newest(tmp_path)
    assert CliRunner().invoke(bench.app, ["compare", "one.json"]).exit_code == 2


def test_all_goes_on_after_a_failure(tmp_path, monkeypatch):
    """One bench that works, one that ends its process: the page is written and the failure named."""
    (tmp_path / "benchmarks").mkdir()
    monkeypatch.setattr(bench, "benches", lambda: {"broken": "", "codec": ""})

    def run(command, **_):
        wing = command[command.index("bench") + 1]
        if wing == "codec":
            with open(command[command.index("--json") + 1], "w") as file:
                json.dump(CODEC | {"quick": "--quick" in command}, file)
        return type("Done", (), {"returncode": int(wing == "broken")})

    monkeypatch.setattr("subprocess.run", run)
    with pytest.raises(UnpoolError, match="broken"):
        bench._all(tmp_path / "benchmarks", tmp_path / "r.md", True, None, measure=True)
    assert [path.name[:12] for path in (tmp_path / "benchmarks").iterdir()] == ["codec-quick-"]
    assert "A quick run" in (tmp_path / "r.md").read_text()


def test_the_page_in_the_docs_is_current():
    root = Path(__file__).parents[2]
    wings = results.newest(root / "benchmarks")
    page = (root / "docs" / "results.md").read_text()
    missing = [answer["file"] for answer in wings.values() if answer["file"] not in page]
    assert not missing, f"benchmarks/ has changed: unpool bench results ({', '.join(missing)})"
