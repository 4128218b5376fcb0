"""The Compose file and the systemd units: what they start exists, listens on loopback unless told, holds no secret."""

import importlib.util
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from stemma.cli.main import _parser
from stemma.config import read_yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PROGRAMS = "/srv/stemma/.venv/bin/"
VARIABLE = re.compile(r"\$\{(\w+)")


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read_yaml(DEPLOY / "compose.yaml")["services"]
    return found


def commands_of_compose() -> list[list[str]]:
    """Each command; those of a shell line one by one."""
    found = []
    for service in services().values():
        words = service.get("command", [])
        lines = words[2].split(";") if words[:2] == ["sh", "-c"] else [shlex.join(words)]
        found += [shlex.split(line.removeprefix(" exec ")) for line in lines if line]
    return found


def commands_of_clusters() -> list[list[str]]:
    """What the Slurm script and the pods end up as."""
    script = (DEPLOY / "slurm-worker.sbatch").read_text(encoding="utf-8").splitlines()[-1]
    slurm = shlex.split(script.removeprefix("exec ").replace("$STEMMA_PYTHON", "python"))
    pod = read_yaml(DEPLOY / "kubernetes-worker.yaml")["spec"]["template"]["spec"]["containers"][0]["command"]
    assert pod[0] == "in-clone"
    return [slurm, pod[1:]]


def commands_of_units() -> list[list[str]]:
    lines = [line for unit in UNITS for line in unit.read_text("utf-8").splitlines() if line.startswith("ExecStart=")]
    assert len(lines) == len(UNITS)
    return [shlex.split(line.removeprefix("ExecStart=")) for line in lines]


@cache
def options_of(*words: str) -> frozenset[str]:
    """The options that a program's help names."""
    program = Path(sys.executable).with_name(words[0])
    shown = subprocess.run([program, *words[1:], "--help"], capture_output=True, text=True, check=True).stdout
    return frozenset(re.findall(r"--[a-z-]+", shown))


@pytest.mark.parametrize("words", commands_of_compose() + commands_of_clusters() + commands_of_units(), ids=shlex.join)
def test_commands_exist(words: list[str]) -> None:
    words = [words[0].removeprefix(PROGRAMS), *words[1:]]
    if words[:3] == ["python", "-m", "stemma"]:
        words = words[2:]
    if words[0] == "stemma":
        _parser().parse_args(words[1:])  # ends the test with the parser's message where it knows a word not
    elif words[:2] == ["python", "-m"]:
        assert importlib.util.find_spec(words[2]) is not None
    else:
        given = [word for word in words if word.startswith("--")]
        named = words[: words.index(given[0])]
        assert set(given) <= options_of(*named)


def test_images_are_pinned_and_ports_are_on_loopback_unless_told() -> None:
    for name, service in services().items():
        assert re.search(r":[\w.-]+$", service["image"]), name
        assert not service["image"].endswith(":latest"), name
        for port in service.get("ports", []):
            assert port.startswith(("127.0.0.1:", "${STEMMA_BIND:-127.0.0.1}:")), name
        assert "healthcheck" in service or name == "label-watch", name
    assert "latest" not in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def test_units_listen_on_loopback() -> None:
    assert all(words[words.index("--host") + 1] == "127.0.0.1" for words in commands_of_units() if "--host" in words)


def test_the_example_names_every_variable_and_no_other() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    passed_on = {
        name
        for service in services().values()
        for name, value in service.get("environment", {}).items()
        if value is None
    }
    example = (DEPLOY / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^#?([A-Z]\w+)=", example, re.MULTILINE)) == set(VARIABLE.findall(text)) | passed_on
    empty = set(re.findall(r"^(\w+)=$", example, re.MULTILINE))
    assert empty == {"POSTGRES_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "PREFECT_AUTH"}


@pytest.mark.parametrize("file", ["deploy/.env", "deploy/worker.env"])
def test_the_filled_in_file_is_not_tracked(file: str) -> None:
    ignored = subprocess.run(["git", "check-ignore", "--quiet", file], cwd=ROOT, check=False)
    assert ignored.returncode == 0


def test_addresses_and_keys_of_any_name_reach_who_reads_them() -> None:
    """`stemma deploy` wants those of prefect.yaml's notifications, a run those of its judges."""
    given = {name: service["env_file"] for name, service in services().items() if "env_file" in service}
    optional = [{"path": "worker.env", "required": False}]
    assert given == dict.fromkeys(("label-watch", "worker-cpu", "worker-gpu"), optional)


def test_labels_are_watched_where_deploy_refuses(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$@"\n[ "$*" != "-m stemma deploy" ]\n', encoding="utf-8")
    python.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    watch = subprocess.run(services()["label-watch"]["command"], env={"PATH": path}, capture_output=True, check=True)
    assert watch.stdout.decode().splitlines() == ["-m stemma deploy", "-m flows.people.label_watch"]


def test_systemd_knows_what_the_units_say(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("apt-get install systemd")
    for unit in UNITS:
        here = unit.read_text(encoding="utf-8").replace(PROGRAMS, f"{Path(sys.executable).parent}/")
        (tmp_path / unit.name).write_text(here, encoding="utf-8")
    units = [str(tmp_path / unit.name) for unit in UNITS]
    verified = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stderr
    ours = [line for line in verified.stderr.splitlines() if "stemma-" in line]
    assert not ours


def test_a_job_takes_values_with_blanks_and_signs_as_they_stand(tmp_path: Path) -> None:
    python, file = tmp_path / "python", tmp_path / ".config" / "stemma" / "worker.env"
    (tmp_path / "clone" / ".git").mkdir(parents=True)
    file.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintenv GIT_CONFIG_VALUE_0 JUDGE\npwd\necho "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    header, key = "Authorization: Basic dXNlcjp0b2tlbg==", "a$b;c'd"
    lines = ["# of a worker", "", f"STEMMA_CLONE={tmp_path}/clone", f"STEMMA_PYTHON={python}"]
    file.write_text("\n".join([*lines, f"GIT_CONFIG_VALUE_0={header}", f"JUDGE={key}"]), encoding="utf-8")
    job = subprocess.run(
        ["bash", DEPLOY / "slurm-worker.sbatch"],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    started = "-m stemma up --worker --pool gpu --foreground"
    assert (job.stderr, job.stdout.splitlines()) == ("", [header, key, f"{tmp_path}/clone", started])


@pytest.mark.parametrize("name", ["backup", "restore"])
def test_no_password_is_among_the_words_of_a_command(name: str, tmp_path: Path) -> None:
    """`ps` shows those to every user of the machine."""
    for program in ("pg_dump", "pg_restore"):
        file = tmp_path / program
        file.write_text('#!/bin/sh\nprintf "%s %s\\n" "$PGPASSWORD" "$*" >>"$HOME/said"\n', encoding="utf-8")
        file.chmod(0o755)
    for git in (tmp_path / "remote", tmp_path / "saved" / "git"):
        subprocess.run(["git", "init", "--quiet", "--bare", git], check=True)
    nothing = subprocess.run(
        ["git", "hash-object", "-t", "tree", "-w", "/dev/null"], cwd=git, check=True, capture_output=True, text=True
    )
    subprocess.run(["git", "update-ref", "refs/stemma/kept", nothing.stdout.strip()], cwd=git, check=True)
    folder = tmp_path / ("new" if name == "backup" else "saved")
    subprocess.run(
        [DEPLOY / f"{name}.sh", folder], check=True, capture_output=True,
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "STEMMA_GIT_REMOTE": str(tmp_path / "remote"),
            "PREFECT_API_DATABASE_CONNECTION_URL": "postgresql+asyncpg://stemma:a%40b%5Cn@db:5432/prefect",
            "MLFLOW_BACKEND_STORE_URI": "postgresql://stemma:plain@/mlflow?host=/run",
            "STEMMA_LABEL_STORE": "postgresql+psycopg://db:5432/labels?user=a@b",
        },
    )  # fmt: skip
    said = [line.split(" ") for line in (tmp_path / "said").read_text("utf-8").splitlines()]
    assert [(words[0], words[words.index("--dbname") + 1]) for words in said] == [
        ("a@b\\n", "postgresql://stemma@db:5432/prefect"),
        ("plain", "postgresql://stemma@/mlflow?host=/run"),
        ("", "postgresql://db:5432/labels?user=a@b"),
    ]


def test_a_clone_in_a_container_has_the_record_and_no_fetch_of_its_undoes_an_act(tmp_path: Path) -> None:
    def git(folder: Path, *words: str) -> str:
        return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()

    identity = ("-c", "user.name=t", "-c", "user.email=t@localhost")
    seed, clone, act = tmp_path / "seed", tmp_path / "clone", "refs/stemma/models/policy"
    for folder in (seed, clone):
        folder.mkdir()
    git(seed, "init", "--quiet")
    git(seed, *identity, "commit", "--quiet", "--allow-empty", "--message", "first")
    for ref in ("refs/exps/aa/bb/run", act):
        git(seed, "update-ref", ref, "HEAD")
    environment = {**os.environ, "STEMMA_GIT_REMOTE": str(seed)}
    for _ in range(2):
        subprocess.run([DEPLOY / "in-clone.sh", "true"], cwd=clone, check=True, env=environment)
    assert (
        git(clone, "rev-parse", "refs/exps/aa/bb/run") == git(clone, "rev-parse", act) == git(seed, "rev-parse", "HEAD")
    )
    unheard = git(clone, *identity, "commit-tree", "-p", act, "-m", "an act", "HEAD^{tree}")
    git(clone, "update-ref", act, unheard)
    git(clone, "fetch", "--quiet", "origin")
    assert git(clone, "rev-parse", act) == unheard


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """nginx with deploy/nginx.conf, in front of nothing; its ports for HTTPS and HTTP."""
    if shutil.which("nginx") is None or shutil.which("openssl") is None:
        pytest.skip("apt-get install nginx openssl")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=labels.example.org",
            "-keyout", "privkey.pem", "-out", "fullchain.pem",
        ],
        cwd=tmp_path, capture_output=True, check=True,
    )  # fmt: skip
    (tmp_path / "privkey.pem").rename(tmp_path / "key.pem")
    with socket.socket() as one, socket.socket() as other, socket.socket() as nobody:
        for probe in (one, other, nobody):
            probe.bind(("127.0.0.1", 0))
        https, http, closed = (probe.getsockname()[1] for probe in (one, other, nobody))
    here = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    for before, after in (
        ("listen 443 ssl", f"listen 127.0.0.1:{https} ssl"),
        ("listen 80;", f"listen 127.0.0.1:{http};"),
        ("127.0.0.1:8377", f"127.0.0.1:{closed}"),
        ("/etc/ssl/stemma", str(tmp_path)),
        ("/var/log/nginx", str(tmp_path)),
    ):
        assert before in here
        here = here.replace(before, after)
    whole = f"error_log {tmp_path}/error.log;\npid {tmp_path}/pid;\nevents {{}}\n"
    whole += f"http {{\naccess_log {tmp_path}/access.log;\n{here}}}\n"
    (tmp_path / "whole.conf").write_text(whole, encoding="utf-8")
    command = ["nginx", "-p", str(tmp_path), "-c", str(tmp_path / "whole.conf"), "-g", "daemon off;"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").exists():
        assert server.poll() is None, (tmp_path / "error.log").read_text("utf-8")
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield https, http
    server.terminate()
    server.wait()


def test_a_personal_link_is_in_no_log_of_the_proxy(proxy: tuple[int, int], tmp_path: Path) -> None:
    """Not even while the label page is down, nor where somebody follows it without TLS."""
    trusted = ssl.create_default_context(cafile=str(tmp_path / "fullchain.pem"))
    trusted.check_hostname = False
    for path in ("/sign-in/SECRET", "/other"):
        request = urllib.request.Request(f"https://127.0.0.1:{proxy[0]}{path}", headers={"Host": "labels.example.org"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, context=trusted)  # noqa: S310 -- our own server on loopback
        assert refused.value.code == HTTPStatus.BAD_GATEWAY
        with socket.create_connection(("127.0.0.1", proxy[1])) as plain:
            plain.sendall(f"GET {path} HTTP/1.0\r\nHost: labels.example.org\r\n\r\n".encode())
            assert b"308" in plain.recv(100)
    deadline = time.monotonic() + 60
    while (logs := "".join(log.read_text("utf-8") for log in tmp_path.glob("*.log"))).count("GET /other") < 3:
        assert time.monotonic() < deadline, logs
        time.sleep(0.05)
    assert "SECRET" not in logs
