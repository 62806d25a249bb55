"""`unpool serve` as a process; and what a fuzzer of its description finds."""

import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from unpool.server.app import Settings, create_app
from unpool.server.keys import KeyStore


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def started(tmp_path, port, *options):
    command = [sys.executable, "-m", "unpool", "serve", "--keys", str(tmp_path / "keys.db"), "--port", str(port)]
    process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return process
        except httpx.TransportError:
            assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    raise AssertionError("it did not start")


def test_serves_and_finishes_what_it_accepted(tmp_path, picture):
    key, port = KeyStore(tmp_path / "keys.db").make(["*"]), free_port()
    process = started(tmp_path, port)
    answers, headers, address = [], {"Authorization": f"Bearer {key}"}, f"http://127.0.0.1:{port}"

    def ask():
        url = f"{address}/v1/explain?method=smoothgrad"
        answers.append(httpx.post(url, content=picture(0), headers=headers, timeout=120).status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    while "unpool_waiting 1.0" not in httpx.get(f"{address}/metrics", headers=headers, timeout=60).text:
        assert not answers
    process.send_signal(signal.SIGTERM)
    asking.join(120)
    _, errors = process.communicate(timeout=120)
    assert answers == [200]
    assert "Traceback" not in errors


def test_no_key_is_one_line(tmp_path):
    command = [sys.executable, "-m", "unpool", "serve", "--keys", str(tmp_path / "keys.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert "unpool keys make" in done.stderr
    assert done.stderr.count("\n") == 1


def test_schemathesis_finds_nothing(tmp_path):
    chosen = Settings(keys=tmp_path / "keys.db", galleries=tmp_path / "galleries", embedder=same)
    headers = {"Authorization": f"Bearer {KeyStore(chosen.keys).make(['*'])}", "Host": "localhost"}
    app = create_app(chosen)
    described = schemathesis.openapi.from_asgi("/v1/openapi.json", app, headers=headers)
    asked = 0
    for result in described.get_all_operations():
        operation = result.ok()

        @settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy())
        def check(case):
            nonlocal asked
            asked += 1
            # Status codes and bodies are those that the description names, and nothing fails. A layer that does not
            # exist is rightly refused, though any text fits the description.
            case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

        check()
    assert asked > 20


def same(picture):
    """An embedder for which everybody is one person."""
    return [1.0, 2.0, float(picture.samples[0, 0, 0])]


def test_a_port_or_device_that_cannot_be_used_is_one_line(tmp_path):
    KeyStore(tmp_path / "keys.db").make(["*"])
    command = [sys.executable, "-m", "unpool", "serve", "--keys", str(tmp_path / "keys.db")]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for options, says in (
            (["--port", str(port)], f"port {port} of 127.0.0.1 cannot be used"),
            (["--host", "203.0.113.7", "--port", "0"], "of 203.0.113.7 cannot be used"),
            (["--device", "bogus"], "there is no device 'bogus'"),
        ):
            done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, timeout=120)
            assert done.returncode == 2, done.stderr
            assert says in done.stderr
            assert done.stderr.count("\n") == 1
