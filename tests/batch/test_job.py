"""A job's list is frozen in parts, and what is done stays done."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unpool.batch.job import Job
from unpool.errors import UnpoolError

SCHEMA = pa.schema([("input", pa.string())])


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path / "out.parquet")


def test_pictures_keep_their_parts(job):
    with job.opened({}):
        job.add(["a", "b", "c", "a"], 2)
        first = {part: job.inputs(part) for part in job.parts()}
        assert first == {"0000-000000": ["a", "b"], "0000-000001": ["c"]}
        job.add(["d", "c", "b", "a"], 1000)
        job.add(["a", "d"], 5)
        assert {part: job.inputs(part) for part in job.parts()} == first | {"0001-000000": ["d"]}
        assert list(job.pictures()) == ["a", "b", "c", "d"]
        assert job.parts() == {"0000-000000": 2, "0000-000001": 1, "0001-000000": 1}


def test_a_part_is_done_when_its_table_is_there(job):
    with job.opened({}):
        job.add("abc", 2)
        job.write("0000-000000", [{"input": "a"}, {"input": "b"}], SCHEMA)
        assert job.undone() == ["0000-000001"]

        def breaks_off():
            yield {"input": "c"}
            raise OSError("no space left")

        with pytest.raises(OSError, match="no space"):
            job.write("0000-000001", breaks_off(), SCHEMA)
        assert job.undone() == ["0000-000001"]
    assert pq.read_table(job.table).to_pylist() == [{"input": "a"}, {"input": "b"}]  # as other programs read it


def test_large_results_are_written_as_they_come(job, monkeypatch):
    monkeypatch.setattr("unpool.batch.job._FLUSH_BYTES", 10)
    schema = pa.schema([("input", pa.string()), ("result", pa.large_binary())])
    with job.opened({}):
        rows = [{"input": str(number), "result": bytes(8)} for number in range(5)]
        job.write("0000-000000", iter(rows), schema)
    assert pq.read_metadata(job.place("0000-000000")).num_row_groups == 3
    assert pq.read_table(job.table).to_pylist() == rows


def test_one_place_holds_one_job(job, tmp_path):
    at_work = pytest.raises(UnpoolError, match="another `unpool batch` is at work")
    with job.opened({"operation": "embed"}), at_work, job.opened({"operation": "embed"}):
        pass
    with job.opened({"operation": "restore"}):  # no picture was listed yet: nothing was begun
        job.add(["/a.png"], 1)
    with pytest.raises(UnpoolError, match="another operation"), job.opened({"operation": "embed"}):
        pass
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.jpg").touch()
    with pytest.raises(UnpoolError, match="holds something else"), Job(tmp_path / "photos").opened({}):
        pass


def test_names_that_are_no_utf_8(job):
    name = os.fsdecode(b"/photos/caf\xe9.png")
    with job.opened({}):
        job.add([name], 2)
        job.add([name], 2)
        assert list(job.pictures()) == [name]
        assert job.inputs("0000-000000") == [name]
