"""
The container image without a container engine: the Dockerfile is read, and its steps are run here in its order.

What they make is run as the image would be: by a user who is nobody, with a file system that cannot be written, without a capability.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest
import yaml

from tests import wheels
from tests.chart import CHART, rendered
from tests.e2e.clients import is_root
from tests.e2e.folders import member, web
from tests.e2e.server import NXDOMAIN, Server, found
from tests.planes import native_extension

ROOT: Final = Path(__file__).parents[2]
DOCKERFILE: Final = ROOT / "deploy" / "Dockerfile"
UID: Final = 65532
SOURCES: Final = ROOT / "build" / "image"
"""Where sources are copied to. `make clean` removes it."""
pytestmark = pytest.mark.timeout(900)  # cargo compiles, on a machine that is busy with other tests
AS_NOBODY: Final = (
    "setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all",
)  # fmt: skip


class Step(NamedTuple):
    """One instruction of the Dockerfile, in its stage."""

    stage: str
    word: str
    rest: str

    @property
    def words(self) -> list[str]:
        """Read the exec form, `["a", "b"]`, or words."""
        return list(json.loads(self.rest)) if self.rest.startswith("[") else self.rest.split()


def steps() -> list[Step]:
    """Read the Dockerfile."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    made: list[Step] = []
    stage = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            _, _, stage = rest.partition(" AS ")
        made.append(Step(stage, word, rest.strip()))
    return made


def the(word: str, stage: str = "") -> Step:
    """Give the only instruction of a kind in a stage; the last stage has no name."""
    (one,) = [step for step in steps() if (step.word, step.stage) == (word, stage)]
    return one


def test_the_last_stage_runs_nothing_as_nobody() -> None:
    """Numeric user and group, no RUN and so no shell, exec form, the ports that the chart's Services lead to."""
    assert the("USER").rest == f"{UID}:{UID}"
    assert [step for step in steps() if step.stage == "" and step.word in {"RUN", "ADD", "VOLUME"}] == []
    for word in ("ENTRYPOINT", "CMD"):
        assert the(word).rest.startswith("[")
    exposed = set(the("EXPOSE").words)
    (deployment,) = [obj for obj in rendered() if obj["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert exposed == {f"{port['containerPort']}/{port['protocol'].lower()}" for port in container["ports"]}
    assert container["args"][:3] == the("CMD").words
    assert deployment["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == UID


def test_bases_are_pinned_and_alike() -> None:
    """No `latest`; what is compiled meets the same C library; the interpreter of the environment is that of the image."""
    bases = {step.stage: step.rest.partition(" ")[0] for step in steps() if step.word == "FROM"}
    assert all(re.search(r":\d+\.\d+", base) for base in bases.values())
    assert len({base.rpartition("-")[2] for base in bases.values()}) == 1
    assert bases["install"] == bases[""]
    needed = tomllib.loads((ROOT / "rust" / "Cargo.toml").read_text())["package"]["rust-version"]
    assert _version(bases["wheel"]) >= tuple(map(int, needed.split(".")))
    assert _version(bases[""]) >= (3, 11)


def test_what_is_copied_is_there() -> None:
    """Every file that the Dockerfile copies is in the tree and let in by its ignore file; all of a package is copied."""
    copied = {name for step in steps() if step.word == "COPY" and "--from" not in step.rest for name in step.words[:-1]}
    assert {name for name in copied if not (ROOT / name).exists()} == set()
    assert copied - {"deploy/image.sh"} == {"mcsdns", "rust", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"}
    rules = [
        line for line in (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] != "#"
    ]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied
    assert any(fnmatch.fnmatch("mcsdns/_plane.abi3.so", rule.replace("**/", "*")) for rule in rules[1:])


def test_versions() -> None:
    """The image says the version of what is in it, which is that of the chart."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f'version="{version}"' in the("LABEL").rest
    assert f"mcsdns:{version} " in DOCKERFILE.read_text()
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["version"] == version


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """Run every step of deploy/image.sh that the Dockerfile runs, with paths in a folder of our own, and give that folder."""
    native_extension()
    folder = Path(tempfile.mkdtemp(prefix="mcsdns-image-"))
    folder.chmod(0o755)
    try:
        (folder / "tmp").mkdir()
        shutil.rmtree(SOURCES, ignore_errors=True)
        SOURCES.mkdir(parents=True)
        for step in steps():
            if step.word == "COPY" and step.stage == "wheel" and step.rest != "deploy/image.sh /":
                _copy(step.words)
            if step.word == "RUN" and step.words[0] == "/image.sh":
                _run(folder, *step.words[1:])
        yield folder
    finally:
        shutil.rmtree(folder)


def test_the_steps_are_the_dockerfiles() -> None:
    """Beside the system's packages, the Dockerfile runs what deploy/image.sh has, each once, and hands on what it makes."""
    runs = [step.words for step in steps() if step.word == "RUN"]
    assert [words for words in runs if words[0] != "apt-get"] == [
        ["/image.sh", "wheel", "/src", "/wheel"],
        ["/image.sh", "install", "/wheel", "/opt/mcsdns"],
    ]
    assert set(re.findall(r"^(\w+)\)$", (ROOT / "deploy" / "image.sh").read_text(), re.MULTILINE)) == {
        "wheel",
        "install",
    }
    assert the("COPY", "").words == ["--from=install", "/opt/mcsdns", "/opt/mcsdns"]
    assert the("ENTRYPOINT").words == ["/opt/mcsdns/bin/mcsdns"]


def test_it_serves_as_nobody_on_a_file_system_that_cannot_be_written(image: Path, tmp_path: Path) -> None:
    """`mcsdns serve`, native plane, from a prefix that it may not write, with no capability and nothing writable but its /tmp."""
    config = image / "etc"
    config.mkdir(exist_ok=True)
    clusters = [member(config, "east", web("10.0.0.1"))]
    _open_up(config)
    with _Contained(image, config, clusters, plane="native") as server:
        for tcp in (False, True):
            assert server.ask("web.test.svc", tcp=tcp) == found("10.0.0.1")
            assert server.ask("nosuch.test.svc", tcp=tcp) == NXDOMAIN
        assert 'plane="native"' in server.admin("/metrics").text
        status = Path(f"/proc/{server.contained}/status").read_text()
        assert f"Uid:\t{UID}\t{UID}\t{UID}\t{UID}\n" in status or not is_root()
        assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE) or not is_root()
        assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE)
        server.terminate()
        assert server.wait(10) == 0
    assert sorted(path.name for path in (image / "tmp").iterdir()) == []


def test_nothing_can_be_installed_into_it(image: Path) -> None:
    """There is no pip in it, and no test tool; the native plane is."""
    held = {path.name.partition("-")[0] for path in (image / "opt" / "mcsdns").rglob("*.dist-info")}
    assert {"mcsdns", "aiohttp", "msgspec"} <= held
    assert held.isdisjoint({"pip", "pytest", "dnspython", "hypothesis"})
    assert list((image / "opt" / "mcsdns").rglob("_plane*.so"))


class _Contained(Server):
    """The server of the image's prefix, contained as far as this machine lets us: all of it where we are root."""

    def __init__(self, image: Path, folder: Path, clusters: list[dict[str, object]], **settings: object) -> None:
        super().__init__(folder, clusters, **settings)  # type: ignore[arg-type]
        self._image = image

    def command(self) -> list[str]:
        """Make everything read-only but the private /tmp, drop every right, and run the entry point."""
        arguments = super().command()[1:]
        program = f"{self._image}{the('ENTRYPOINT').words[0]}"
        _open_up(self.folder)
        if not is_root():
            return ["setpriv", "--no-new-privs", program, *arguments]
        temporary = self._image / "tmp"
        temporary.chmod(0o1777)
        read_only = "mount --bind / / && mount -o remount,bind,ro / && "
        mounts = f"{read_only} mount -t tmpfs -o mode=1777,size=4m tmpfs {temporary} && cd / && "
        script = f'{mounts} exec env -i TMPDIR={temporary} "$@"'
        return ["unshare", "--mount", "sh", "-ec", script, "sh", *AS_NOBODY, program, *arguments]

    @property
    def contained(self) -> int:
        """The process id of the server: every program before it has been replaced by the next."""
        return self.pid


def _run(folder: Path, *words: str) -> None:
    """Run a step of image.sh, its absolute paths below a folder, and /src where the sources are."""
    arguments = [str(SOURCES) if word == "/src" else f"{folder}{word}" if word[0] == "/" else word for word in words]
    environ = wheels.environment()
    environ["PATH"] = os.pathsep.join(part for part in environ["PATH"].split(os.pathsep) if ".venv" not in part)
    done = subprocess.run(
        [ROOT / "deploy" / "image.sh", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _copy(words: list[str]) -> None:
    """Copy as a COPY instruction does, to `SOURCES` for /src; what the ignore file leaves out stays out."""
    *names, target = words
    for name in names:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.so", "target")
            shutil.copytree(ROOT / name, _here(target), ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy2(ROOT / name, _here(target))


def _here(path: str) -> Path:
    """Give where a path below /src is on this machine."""
    return SOURCES / path.removeprefix("/src").strip("/")


def _open_up(folder: Path) -> None:
    """Let everybody read a folder, as a mounted ConfigMap may be read."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _version(base: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", base.partition(":")[2])[:2]))
