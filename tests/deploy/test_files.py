"""The container, compose and systemd files: they parse, they keep their promises, and their commands exist."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from unpool.cli import serve

DEPLOY = Path(__file__).parents[2] / "deploy"


def instructions():
    """(NAME, rest) of the container file's instructions, continued lines joined."""
    text = re.sub(r"\\\n", " ", (DEPLOY / "Containerfile").read_text())
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(None, 1)) for line in lines]


def options_are_known(command):
    known = {name for parameter in get_command(serve.app).params for name in parameter.opts}
    asked = set(re.findall(r"(--[a-z-]+)", command.partition("unpool serve")[2]))
    assert asked
    assert asked <= known


def test_container_file():
    found = instructions()
    names = {
        *("FROM", "WORKDIR", "RUN", "ENV", "COPY", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD"),
    }
    assert {name for name, _ in found} <= names
    stages = [rest for name, rest in found if name == "FROM"]
    assert len(stages) == 2
    assert stages[0].endswith(" AS build")
    last = found[max(i for i, (name, _) in enumerate(found) if name == "FROM") :]
    assert [rest for name, rest in last if name == "USER"] == ["10001"]
    assert not any(name == "RUN" and "pip" in rest for name, rest in last)
    assert any(name == "COPY" and "--from=build" in rest for name, rest in last)
    (health,) = [rest for name, rest in last if name == "HEALTHCHECK"]
    assert "/readyz" in health
    (command,) = [rest for name, rest in last if name == "CMD"]
    options_are_known(command)
    copied = " ".join(rest for name, rest in found if name == "COPY" and "--from" not in rest).split()
    for path in (part for part in copied if not part.startswith("./") and part != "."):
        assert (DEPLOY.parent / path).exists(), path


def test_compose_file():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    unpool, db = services["unpool"], services["db"]
    assert (DEPLOY / unpool["build"]["context"] / unpool["build"]["dockerfile"]).is_file()
    assert unpool["read_only"] is True
    assert unpool["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in unpool["ports"])
    assert unpool["depends_on"]["db"]["condition"] == "service_healthy"
    assert "pg_isready" in " ".join(db["healthcheck"]["test"])
    assert "pgvector" in db["image"]
    (variable,) = unpool["environment"]
    assert variable in {name for p in get_command(serve.app).params for name in [p.envvar] if name}
    assert unpool["environment"][variable].startswith("postgresql://")
    volumes = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["volumes"]
    assert {volume.partition(":")[0] for one in services.values() for volume in one["volumes"]} == set(volumes)


def test_systemd_unit(tmp_path):
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str
    unit.read(DEPLOY / "unpool.service")
    assert unit.sections() == ["Unit", "Service", "Install"]
    service = unit["Service"]
    options_are_known(service["ExecStart"])
    assert service["User"] == "unpool"
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here; the rest was checked")
    there = tmp_path / "unpool.service"
    there.write_text((DEPLOY / "unpool.service").read_text().replace("/opt/unpool/bin/unpool", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", there], capture_output=True, text=True, check=False, timeout=60)
    assert "unpool.service" not in done.stderr, done.stderr
