"""Two workers of a real Ray on real pictures: kills in the middle, and exactly one result for each picture."""

import json
import os
import time
from pathlib import Path

import pyarrow.parquet as pq
from typer.testing import CliRunner

from unpool.batch.bench import kills, photographs
from unpool.batch.job import Job
from unpool.cli.batch import app


def test_a_driver_and_a_worker_killed_in_the_middle(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    photographs(folder, 30, side=128)
    (folder / "text.png").write_text("not a picture")
    found = kills(folder, out, ["compress", "--quality", "20"], part=4)
    assert found.pop("parts_left_by_killed_driver") > 0
    assert found == {"missing_results": 0, "doubled_results": 0}

    rows = pq.read_table(Job(out).table).to_pylist()
    assert len({row["worker"] for row in rows}) >= 2
    failed = {row["input"] for row in rows if row["error"]}
    assert failed == {str(folder / "text.png")}
    outputs = [out / row["output"] for row in rows if not row["error"]]
    assert len(set(outputs)) == 30
    assert all(path.stat().st_size == row["bytes"] for path, row in zip(outputs, (r for r in rows if not r["error"])))

    # Nothing is left to do, so this needs no Ray.
    again = CliRunner().invoke(app, ["compress", str(folder), "-o", str(out), "--quality", "20", "--json"])
    assert again.exit_code == 0, again.output
    said = json.loads(again.stdout)
    assert (said["pictures"], said["before"], said["now"]) == (31, 31, 0)
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert _gone({int(row["worker"].rpartition(":")[2]) for row in rows})


def _gone(workers):
    """No worker computes on without its driver."""
    end = time.monotonic() + 60
    while any(_at_work(worker) for worker in workers):
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def _at_work(pid):
    try:
        return b"MapWorker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
