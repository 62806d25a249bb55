"""Open-set identification: the draw, and rates on distances whose answer is known."""

import numpy as np

from unpool.faces.gallery import open_set as module


def test_the_draw_shares_nobody_and_repeats(tmp_path):
    for person in range(30):
        folder = tmp_path / f"Person_{person:02d}"
        folder.mkdir()
        for shot in range(1 + person % 3):
            (folder / f"{shot}.jpg").touch()
    enrolled, known, strangers = module.choose(tmp_path, 8)
    assert [p.parent for p in enrolled] == [p.parent for p in known]
    assert not {p.parent for p in enrolled} & {p.parent for p in strangers}
    assert not set(enrolled) & set(known)
    assert len(strangers) == len(enrolled) == 8
    assert module.choose(tmp_path, 8) == (enrolled, known, strangers)


def test_rates_of_known_distances():
    near = np.array([0.1, 0.2, 0.3, 0.9, 0.15, 0.8, 0.9, 1.0])
    right = np.array([True, True, False, True, False, False, False, False])
    assert module._at(near, right, 4, 0.5) == {"rate": 0.5, "false alarms": 0.25}
    assert module._at(near, right, 4, 0.14) == {"rate": 0.25, "false alarms": 0.0}


def test_the_interval_holds_the_rate():
    rng = np.random.default_rng(0)
    near = np.concatenate([rng.uniform(0, 1.2, 300), rng.uniform(1, 2, 300)])
    right = np.arange(600) < 300
    row = module._rates(near, right, 300)
    assert row["false alarms"] <= 0.01
    assert row["low"] < row["rate"] < row["high"]
    assert row["rate"] > 0.75
