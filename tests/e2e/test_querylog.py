"""The query log of the installed command, switched on as a person would."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.folders import member, web
from tests.e2e.server import Server, eventually
from tests.planes import PLANES, native_extension


def ask(server: Server, method: str, query: str = "") -> tuple[int, Any]:
    """Ask /querylog, and give the status and what was said."""
    port = server.admin_url.rpartition(":")[2]
    headers = {"Mcsdns-Request": "1"}
    request = urllib.request.Request(f"http://localhost:{port}/querylog{query}", method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("address", ["127.0.0.1:0", "0.0.0.0:0"])
def test_queries_in_the_log(serve: Serve, tmp_path: Path, address: str, plane: str) -> None:
    """Both transports, what exists and what does not, within the suffix alone; before and after it there is not a line."""
    if plane == "native":
        native_extension()
    listen = [{"address": address}]
    server = serve([member(tmp_path, "east", web("10.0.0.1"))], plane=plane, listen=listen)
    at = ("127.0.0.1", server.addresses[0][1])
    server.ask("web.test.svc", at=at)
    assert ask(server, "POST", "?seconds=60&suffix=test.svc.clusterset.local&client=127.0.0.0/8")[0] == 200
    for tcp in (False, True):
        server.ask("web.test.svc", at=at, tcp=tcp)
        server.ask("nosuch.test.svc", "SRV", at=at, tcp=tcp)
        server.ask("web.other.svc", at=at, tcp=tcp)
    eventually(lambda: len(list(server.logged("query"))), 4)
    found = [
        (line["proto"], line["client"], line["name"], line["type"], line["rcode"]) for line in server.logged("query")
    ]
    assert sorted(found) == [
        (proto, "127.0.0.1", f"{name}.test.svc.clusterset.local.", qtype, rcode)
        for proto in ("tcp", "udp")
        for name, qtype, rcode in (("nosuch", "SRV", "NXDOMAIN"), ("web", "A", "NOERROR"))
    ]
    assert all(
        line["timestamp"].endswith("Z") and 0 < line["duration_ms"] < 1000 and line["size"] > 12
        for line in server.logged("query")
    )
    assert ask(server, "DELETE")[1]["written"] == 4
    server.ask("web.test.svc", at=at)
    eventually(lambda: len(list(server.logged("query log off"))), 1)
    assert len(list(server.logged("query"))) == 4
