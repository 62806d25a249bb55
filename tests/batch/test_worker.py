"""One worker without Ray: a row for each picture, whatever happens to it."""

import os

import numpy as np
import pyarrow.parquet as pq
import pytest

import unpool
from unpool.batch import worker as workers
from unpool.batch.job import Job
from unpool.batch.sources import listed
from unpool.batch.worker import Worker
from unpool.codec.api import decompress
from unpool.errors import UnpoolError
from unpool.images.reading import read

OPTIONS = {
    "restore": {"task": "sr", "scale": 2},
    "compress": {"quality": 30},
    "embed": {"model": "autoencoders/faces"},
    "explain": {"model": "efficientnet-lite0", "method": "grad-cam"},
}


def begin(out, folder, name="compress", size=100):
    job = Job(out)
    with job.opened({}):
        job.add(listed([str(folder)]), size)
    return job, Worker(job, name, {"max_pixels": 10**6, **OPTIONS[name]}, 1, "cpu")


@pytest.mark.parametrize("name", OPTIONS)
def test_every_picture_has_a_row_with_its_result_or_its_error(folder, tmp_path, name):
    job, worker = begin(tmp_path / "out.parquet", folder, name)
    said = worker({"part": np.array(job.undone())})
    assert (said["pictures"].tolist(), said["failed"].tolist()) == ([8], [2])
    rows = {row["input"].rpartition("/")[2]: row for row in pq.read_table(job.table).to_pylist()}
    assert len(rows) == 8
    assert "damaged or cut short" in rows["cut.jpg"]["error"]
    assert "not a picture" in rows["text.png"]["error"]
    row = rows["photo-0003.jpg"]
    assert row["error"] is None
    if name == "embed":
        assert row["code"] == pytest.approx(unpool.load("autoencoders/faces").encode(row["input"])[0], abs=1e-4)
    if name == "compress":
        assert read(decompress(row["result"])).samples.shape == (96, 96, 3)
        assert row["bytes"] == len(row["result"])
    if name == "restore":
        assert read(row["result"]).width == 192
        assert row["steps"] in ("restoration/sr-x2", "restoration/photo-x2")
    if name == "explain":
        assert read(row["result"]).width == 224
        assert row["target"]


def test_results_as_files(folder, tmp_path):
    job, worker = begin(tmp_path / "out", folder, size=5)
    assert [worker.do(part)["pictures"] for part in job.undone()] == [5, 3]
    rows = pq.read_table(job.table).to_pylist()
    written = {row["output"] for row in rows if row["error"] is None}
    assert len(written) == 6
    assert written == {str(path.relative_to(job.out)) for path in job.out.rglob("*.unp")}
    assert "0000-000000/0001-photo-0000.unp" in written
    assert not list(job.out.rglob("*.part"))


def test_what_is_done_is_not_done_again(folder, tmp_path, monkeypatch):
    job, worker = begin(tmp_path / "out", folder)
    (part,) = job.undone()
    worker.do(part)
    monkeypatch.setattr(worker, "operation", None)
    assert worker.do(part)["pictures"] == 8


def test_a_picture_at_which_workers_end_is_given_up(folder, tmp_path, monkeypatch):
    job, worker = begin(tmp_path / "out.parquet", folder)
    (part,) = job.undone()

    class Killed(BaseException):
        pass

    def dies(source, operation=worker.operation):
        if "photo-0002" in str(source):
            raise Killed
        return operation(source)

    monkeypatch.setattr(worker, "operation", dies)
    dies.suffix, dies.columns = ".unp", []
    for _ in range(3):
        with pytest.raises(Killed):
            worker.do(part)
        assert job.undone() == [part]
    worker.do(part)
    rows = {row["input"]: row["error"] for row in pq.read_table(job.table).to_pylist()}
    assert len(rows) == 8
    assert rows[str(folder / "photo-0002.jpg")] == "3 workers ended while they were at this picture"
    assert not job.tries(part).exists()


def test_an_unknown_error_is_a_row_and_a_full_disk_is_not(folder, tmp_path, monkeypatch):
    job, worker = begin(tmp_path / "out", folder, size=1)
    whole = worker.operation
    first, second = job.undone()[1:3]

    def fails(source):
        raise RuntimeError("out of\nmemory")

    monkeypatch.setattr(worker, "operation", fails)
    fails.suffix = ".unp"
    assert worker.do(first)["failed"] == 1
    assert pq.read_table(job.place(first))["error"][0].as_py() == "RuntimeError: out of memory"

    def full(path):
        if path.suffix == ".unp":
            raise OSError(28, "No space left on device")
        return workers_atomic(path)

    workers_atomic = workers.atomic
    monkeypatch.setattr(worker, "operation", whole)
    monkeypatch.setattr(workers, "atomic", full)
    with pytest.raises(OSError, match="No space left"):
        worker.do(second)
    assert second in job.undone()


def test_settings_are_tried_before_the_job():
    from unpool.batch.operations import tried

    assert tried("embed", {"model": "autoencoders/faces", "max_pixels": 10**6})
    for name, options in {
        "restore": {"task": "polish"},
        "embed": {"model": "restoration/sr-x4"},
        "explain": {"model": "efficientnet-lite0", "target": "no such class at all"},
    }.items():
        with pytest.raises(UnpoolError):
            tried(name, {"max_pixels": 10**6, **options})


def test_a_full_disk_is_not_held_against_a_picture(folder, tmp_path, monkeypatch):
    job, worker = begin(tmp_path / "out", folder)
    (part,) = job.undone()

    def full(path):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(workers, "atomic", full)
        for _ in range(4):
            with pytest.raises(OSError, match="No space left"):
                worker.do(part)
    assert worker.do(part)["failed"] == 2
    errors = pq.read_table(job.table)["error"].to_pylist()
    assert not any("workers ended" in error for error in errors if error)


def test_long_and_odd_names_give_files(folder, tmp_path):
    odd = tmp_path / "odd"
    odd.mkdir()
    photo = (folder / "photo-0003.jpg").read_bytes()
    for name in ("写".encode() * 80, b"caf\xe9", b"a" * 250):
        (odd / os.fsdecode(name + b".jpg")).write_bytes(photo)
    job, worker = begin(tmp_path / "out", odd)
    assert [worker.do(part)["failed"] for part in job.undone()] == [0]
    rows = pq.read_table(job.table).to_pylist()
    assert all((job.out / row["output"]).is_file() for row in rows)
    assert sum(row["input"].endswith("caf\\xe9.jpg") for row in rows) == 1
