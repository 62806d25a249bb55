"""The parts of `unpool bench serve` that can be wrong without a server."""

from unpool.cli.bench import benches
from unpool.server import bench


def test_it_is_found_by_its_commands_name():
    assert benches()["serve"] == "unpool.server.bench"


def test_percentiles_and_growth():
    assert bench._percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert bench._percentile([], 0.99) == 0.0
    assert bench._growth([10, 400, 400, 500, 500, 500, 500, 500, 500, 520]) == 20
    assert bench._growth([7]) == 0


def test_the_work_in_process_is_the_servers_work(client):
    bodies = bench._bodies()
    bench._embedded(bodies["embed"])
    answer = client.post(bench._PATHS["embed"], content=bodies["embed"])
    assert answer.status_code == 200
    run = bench._Run(spent=2.0, cpu=0.5, seconds=[0.1, 0.2, 0.3, 0.4])
    assert run.figures()["requests_per_second"] == 2.0
    assert run.figures()["cpu_ms"] == 125.0
