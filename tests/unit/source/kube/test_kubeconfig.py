"""What a kubeconfig says, what is wrong with it, and that no error shows a secret."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from mcsdns.errors import SourceError
from mcsdns.source.kube import kubeconfig
from mcsdns.source.kube.credentials import Credentials
from mcsdns.source.kube.settings import InCluster, KubeconfigSettings

SECRET = "s3cr3t-t0ken"
GOOD: dict[str, Any] = {
    "current-context": "west",
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443", "certificate-authority": "ca.crt"}}],
    "users": [{"name": "u", "user": {"token": SECRET}}],
    "contexts": [
        {"name": "west", "context": {"cluster": "c", "user": "u"}},
        {"name": "lost", "context": {"cluster": "gone", "user": "u"}},
        {"name": "nobody", "context": {"cluster": "c"}},
    ],
}


def changed(*path: str | int, value: Any) -> dict[str, Any]:
    content = copy.deepcopy(GOOD)
    at: Any = content
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    return content


def test_a_context(tmp_path: Path) -> None:
    """The current one, or the one that is named; the files that belong to it are relative to the kubeconfig."""
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(GOOD))
    assert kubeconfig.read(path, None).context == "west"
    assert kubeconfig.read(path, "nobody").user == {}
    assert list(kubeconfig.read(path, None).files()) == [path, tmp_path / "ca.crt"]


CLUSTER, USER = ("clusters", 0, "cluster"), ("users", 0, "user")
WRONG = [
    ("no such context", GOOD, "east", "`contexts` has no entry of the name 'east'; it has: 'west', 'lost', 'nobody'"),
    ("no such cluster", GOOD, "lost", "`clusters` has no entry of the name 'gone'; it has: 'c'"),
    ("no current context", changed("current-context", value=None), None, "name one in `kubeconfig.context`"),
    ("empty", {}, None, "no current-context"),
    ("a list", [], None, "expected a mapping"),
    ("contexts of another shape", changed("contexts", value={"a": SECRET}), None, "`contexts` has no entry"),
    ("no such user", changed("users", value=[]), None, "`users` has no entry of the name 'u'; it has: none"),
    ("no server", changed(*CLUSTER, "server", value=None), None, "must be an https:// URL"),
    ("plain http", changed(*CLUSTER, "server", value="http://127.0.0.1"), None, "plain http"),
    ("unchecked", changed(*CLUSTER, "insecure-skip-tls-verify", value=True), None, "`insecure-skip-tls-verify` is set"),
    ("no CA file", GOOD, None, "File does not exist: "),
    (
        "a CA that is none",
        changed(*CLUSTER, "certificate-authority-data", value="AAAA"),
        None,
        "authority cannot be used",
    ),
    ("not base64", changed(*CLUSTER, "certificate-authority-data", value=SECRET + "!"), None, "cannot be used"),
    ("no key file", changed(*USER, "client-certificate", value="none.crt"), None, "File does not exist: "),
    ("no token file", changed("users", 0, "user", value={"tokenFile": "none"}), None, "no such file"),
    ("user of another shape", changed(*USER, "exec", value={"command": SECRET}), None, ""),
    (
        "OIDC without a CA",
        changed(*USER, "auth-provider", value={"name": "oidc", "config": {"id-token": SECRET}}),
        None,
        "idp-",
    ),
]


@pytest.mark.parametrize(("content", "context", "words"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_is_wrong_is_said(tmp_path: Path, content: Any, context: str | None, words: str) -> None:
    """The error names the file and what to do, and never shows what is in it."""
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(content))
    with pytest.raises(SourceError) as caught:
        Credentials(KubeconfigSettings(path, context)).load()
    message = str(caught.value)
    assert str(path) in message
    assert words in message
    assert SECRET not in message


@pytest.mark.parametrize(
    "text", [f"token: {SECRET}\n  x: [", f"!!python/object:os.system {SECRET}", "\x00", f"'{SECRET}"]
)
def test_broken_yaml(tmp_path: Path, text: str) -> None:
    """PyYAML quotes the file in its errors; ours do not."""
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(SourceError, match="this is not YAML") as caught:
        kubeconfig.read(path, None)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


def test_insecure_where_it_is_allowed(tmp_path: Path) -> None:
    """`kubeconfig.insecure: true` lets plain http pass."""
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(changed(*CLUSTER, "server", value="http://127.0.0.1:8001")))
    connection = Credentials(KubeconfigSettings(path, allow_insecure=True)).load()
    assert (connection.url, connection.ssl, connection.authorization) == (
        "http://127.0.0.1:8001",
        None,
        f"Bearer {SECRET}",
    )
    assert SECRET not in repr(connection)
    assert SECRET not in repr(kubeconfig.read(path, None))


def test_not_in_a_cluster(tmp_path: Path) -> None:
    """Outside a pod the error says what was expected."""
    with pytest.raises(SourceError, match=r"in-cluster: .* is this a pod"):
        Credentials(InCluster(tmp_path), environ={}).load()


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    """It changes with any of the files, and only with their content: a mounted Secret changes by a symlink swap."""
    path = tmp_path / "kubeconfig"
    credentials = Credentials(KubeconfigSettings(path))
    digests = [credentials.digest()]
    path.write_text(json.dumps(GOOD))
    digests.append(credentials.digest())
    (tmp_path / "ca.crt").write_text("x")
    digests.append(credentials.digest())
    assert len(set(digests)) == 3
    path.rename(tmp_path / "other")
    path.symlink_to(tmp_path / "other")
    assert credentials.digest() == digests[-1]


@pytest.mark.parametrize(
    "url", [None, "http://10.0.0.1:3128", "http://alice:secret@proxy.example", "https://[::1]:8443"]
)
def test_a_proxy_that_can_be_used(url: str | None) -> None:
    """HTTP proxies are."""
    kubeconfig.check_proxy("here", url)


@pytest.mark.parametrize("url", ["socks5://alice:secret@10.0.0.1:1080", "10.0.0.1:3128", "http://", "http://x:99999"])
def test_a_proxy_that_cannot_be_used(url: str) -> None:
    """It is refused by name of the key, and nothing of its URL is shown."""
    with pytest.raises(SourceError, match="proxy-url") as raised:
        kubeconfig.check_proxy("here", url)
    assert "secret" not in str(raised.value)
