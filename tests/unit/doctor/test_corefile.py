"""What is read of a Corefile: where a zone goes, and what was not understood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcsdns.doctor.corefile import Corefile, read
from mcsdns.wiring import PLATFORMS, Upstream, filled

ZONE = "clusterset.local"
KUBEADM = """\
.:53 {
    errors
    health {
       lameduck 5s
    }
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
    }
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
}
"""
CASES = [
    # the text, the zones of the block that answers, its port, where it forwards the zone
    (KUBEADM, ("",), 53, ("/etc/resolv.conf",)),
    (f"{KUBEADM}{ZONE}:53 {{\n forward . 10.96.0.53\n}}", (ZONE,), 53, ("10.96.0.53",)),
    (f"{KUBEADM}CLUSTERSET.local. {{ # ours\n forward . 10.96.0.53 # here\n}}", (ZONE,), 53, ("10.96.0.53",)),
    (f"dns://{ZONE}:1053 {{\n forward . dns://10.0.0.1:5353 10.0.0.2\n}}", (ZONE,), 1053, ("dns://10.0.0.1:5353", "10.0.0.2")),
    (f".:53 {{\n forward . 8.8.8.8\n forward {ZONE} 10.96.0.53\n}}", ("",), 53, ("10.96.0.53",)),
    (f"a.local, {ZONE},\nb.local {{\n forward . 10.0.0.1\n}}", ("a.local", ZONE, "b.local"), 53, ("10.0.0.1",)),
    ("local {\n forward . 10.0.0.1\n}\n. {\n}", ("local",), 53, ("10.0.0.1",)),
    (f"(up) {{\n forward . 10.0.0.1\n}}\n{ZONE} {{\n import up\n}}", (ZONE,), 53, ("10.0.0.1",)),
    (f"{ZONE} {{\n errors }}\n. {{\n}}", (ZONE,), 53, ()),
]  # fmt: skip


@pytest.mark.parametrize(("text", "zones", "port", "upstreams"), CASES)
def test_where_a_zone_goes(text: str, zones: tuple[str, ...], port: int, upstreams: tuple[str, ...]) -> None:
    """The block with the longest zone answers, and in it the most specific `forward`."""
    block = read(text).block_of(ZONE)
    assert block is not None
    assert (block.zones, block.port, block.upstreams(ZONE)) == (zones, port, upstreams)


def test_no_block() -> None:
    """A name that no block holds is nobody's, and another zone's end is no parent."""
    assert read("cluster.local {\n}\nset.local {\n}").block_of(ZONE) is None
    assert read("").block_of(ZONE) is None


def test_options_belong_to_their_line() -> None:
    """What stands in the braces of a line is no directive of the block."""
    block = read(
        "x {\n forward . 10.0.0.1 {\n  force_tcp\n  policy sequential\n }\n cache 30 {\n  denial 9984 5\n }\n}"
    ).blocks[0]
    assert [one.words[0] for one in block.directives] == ["forward", "cache"]
    assert block.directives[0].options == (("force_tcp",), ("policy", "sequential"))


def test_imported_files() -> None:
    """What AKS and k3s import is read where it is known, and named where it is not."""
    text = f"{KUBEADM}import custom/*.server\n"
    files = {"mcsdns.server": f"{ZONE} {{\n forward . 10.96.0.53\n}}", "log.override": "log"}
    found = read(text, files).block_of(ZONE)
    assert found is not None
    assert found.upstreams(ZONE) == ("10.96.0.53",)
    assert read(text).unread == ("import custom/*.server: the files were not found",)
    assert read(text, {}).unread == (), "the ConfigMap is known to hold nothing"
    assert read("import /etc/more/*.server", files).unread == ("import /etc/more/*.server: the files were not found",)
    assert [one.words[0] for one in read(". {\n import custom/*.override\n}", files).blocks[0].directives] == ["log"]


def test_what_is_not_understood_is_named() -> None:
    """And the rest counts."""
    found = read(f"{{$ZONE}}:{{$PORT}} {{\n}}\n{ZONE} {{\n forward . 10.0.0.1\n}}\nerrors\n")
    assert [line.partition(":")[0] for line in found.unread] == ["'{$ZONE}", "'errors'"]
    assert found.block_of(ZONE) is not None


def test_blocks_that_a_plain_name_never_meets() -> None:
    """A block for DNS over TLS or HTTPS, or for a network, is nobody's of a name, and leaves nothing open."""
    found = read(f"tls://{ZONE} {{\n}}\nhttps://.:443 {{\n}}\n10.0.0.0/8 {{\n}}\n")
    assert found.block_of(ZONE) is None
    assert found.unread == ()


TWINS = [
    # the blocks of one zone                                        CoreDNS does not load them
    (f"{ZONE} {{\n}}\n{ZONE}:53 {{\n}}", True),
    (f"{ZONE} {{\n}}\n{ZONE}:54 {{\n}}", False),
    (f"{ZONE} {{\n bind 10.0.0.1\n}}\n{ZONE} {{\n bind 10.0.0.2\n}}", False),
    (f"{ZONE} {{\n bind 10.0.0.1\n}}\n{ZONE} {{\n bind 10.0.0.2 10.0.0.1\n}}", True),
    (f"{ZONE} {{\n bind 10.0.0.1\n}}\n{ZONE} {{\n}}", True),
    (f"{ZONE} {{\n view a {{\n  expr true\n }}\n}}\n{ZONE} {{\n}}", False),
    (f"{ZONE} {{\n}}\nsvc.{ZONE} {{\n}}", False),
]


@pytest.mark.parametrize(("text", "expected"), TWINS)
def test_twins(text: str, expected: bool) -> None:
    """Two blocks of a zone are too many where they share a port and an address, but for `view`."""
    assert read(text).has_twins(ZONE) is expected


def test_binds() -> None:
    """The addresses of NodeLocal DNSCache are those of its main block."""
    assert read(".:53 {\n bind 169.254.20.10 10.96.0.10\n}").binds == ("169.254.20.10", "10.96.0.10")


@pytest.mark.parametrize("platform", ["coredns", "nodelocal", "beside"])
def test_the_snippets_that_are_shipped_are_understood(platform: str) -> None:
    """What `mcsdns wiring` prints leads to mcsdns."""
    assert platform in PLATFORMS
    found = read(filled(platform, Upstream(["10.96.0.53", "fd00::53"], "5353")))
    assert found.unread == ()
    block = found.block_of(ZONE)
    assert block is not None
    assert block.upstreams(ZONE) == ("10.96.0.53:5353", "[fd00::53]:5353")


@given(st.text('a.{}:/#\n "$()*,01-', max_size=80) | st.text(max_size=40))
def test_any_text_is_read(text: str) -> None:
    """Whatever a ConfigMap holds, nothing is raised."""
    assert isinstance(read(text, {"a": text}), Corefile)
