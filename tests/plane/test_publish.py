"""What is published is what is answered, from the next answer on, and rendered replies never outlive what they were made from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import zones
from tests.planes import Served, framed, read_frame, serving, tcp_client, udp_client
from tests.wire.messages import NOERROR, NXDOMAIN, REFUSED, SERVFAIL, Response, ask, judge

ZONE = zones.ZONE
WEB = "web.test.svc A 10.42.42.42\n"
DUAL = "dual.test.svc A 10.42.0.7\n"


@pytest.fixture
def served(plane_name: str) -> Iterator[Served]:
    with serving(plane_name, [zones.update(WEB + DUAL)]) as served:
        yield served


def look_up(served: Served, qname: str, qtype: str = "A", *, view: str = "any") -> Response:
    """Ask over UDP and TCP, twice each: a kept reply must say what a new one says. Gives one of them."""
    query = ask(f"{qname}.{ZONE}".removeprefix("."), qtype)
    with udp_client(served.port(view)) as udp, tcp_client(served.port(view)) as tcp:
        responses = []
        for _ in range(2):
            udp.send(query)
            responses.append(judge(query, "udp", udp.recv(65535)))
            tcp.sendall(framed(query))
            responses.append(judge(query, "tcp", read_frame(tcp) or b""))
    first = responses[0]
    for response in responses:
        assert response.rcode == first.rcode
        assert sorted(response.answer) == sorted(first.answer)
        assert str(response.message.authority) == str(first.message.authority)
    return first


def serial(response: Response) -> int:
    """Read the serial of a negative answer."""
    number: int = response.message.authority[0][0].serial
    return number


def misses(served: Served) -> int:
    return served.counters().cache_misses


def test_the_next_answer_comes_from_the_update(served: Served) -> None:
    """A publish changes the next answer."""
    assert look_up(served, "web.test.svc").answer == ["10.42.42.42"]
    served.publish(zones.update("web.test.svc A 10.9.9.9", serial=2))
    assert look_up(served, "web.test.svc").answer == ["10.9.9.9"]


def test_a_service_that_is_gone_is_gone(served: Served) -> None:
    """And comes back as what it then is."""
    assert look_up(served, "web.test.svc").rcode == NOERROR
    served.publish(zones.update(gone=["web.test.svc"], serial=2))
    assert look_up(served, "web.test.svc").rcode == NXDOMAIN
    assert look_up(served, "test.svc").rcode == NOERROR
    served.publish(zones.update(gone=["dual.test.svc"], serial=3))
    assert look_up(served, "test.svc").rcode == NXDOMAIN
    served.publish(zones.update("web.test.svc A 10.9.9.9", serial=4))
    assert look_up(served, "web.test.svc").answer == ["10.9.9.9"]


def test_a_publish_to_another_service_keeps_a_reply(served: Served) -> None:
    """At 1,000 publishes a second the replies of the services that do not change stay rendered."""
    look_up(served, "web.test.svc")
    before = misses(served)
    served.publish(zones.update("dual.test.svc A 10.9.9.9", serial=2))
    look_up(served, "web.test.svc")
    assert misses(served) == before
    served.publish(zones.update(WEB, serial=3))
    look_up(served, "web.test.svc")
    # In the native plane everything is rendered when it is published.
    assert misses(served) == before + (2 if served.plane.name == "python" else 0)


def test_what_is_staged_comes_with_the_next_update(served: Served) -> None:
    """A large update is handed over in parts, and seen as a whole: nothing of it before its publish, and all of it then."""
    served.stage(zones.update("web.test.svc A 10.9.9.9\nnew.test.svc A 10.9.9.1"))
    served.stage(zones.update("new.test.svc A 10.9.9.2", gone=["dual.test.svc"]))
    assert look_up(served, "web.test.svc").answer == ["10.42.42.42"]
    assert look_up(served, "dual.test.svc").rcode == NOERROR
    assert look_up(served, "new.test.svc").rcode == NXDOMAIN
    served.publish(zones.update("late.test.svc A 10.9.9.3", serial=2))
    assert look_up(served, "web.test.svc").answer == ["10.9.9.9"]
    assert look_up(served, "dual.test.svc").rcode == NXDOMAIN
    assert look_up(served, "new.test.svc").answer == ["10.9.9.2"]
    assert look_up(served, "late.test.svc").answer == ["10.9.9.3"]
    served.publish(zones.update(WEB, serial=3))
    assert look_up(served, "new.test.svc").answer == ["10.9.9.2"]
    assert look_up(served, "web.test.svc").answer == ["10.42.42.42"]


def test_negatives_follow_the_serial(served: Served) -> None:
    """RFC 2308 §3: the SOA is that of the zone as it is."""
    for number in (1, 2, 3):
        if number > 1:
            served.publish(zones.update("dual.test.svc A 10.9.9.9", serial=number))
        assert serial(look_up(served, "nowhere.test.svc")) == number
        assert serial(look_up(served, "web.test.svc", "AAAA")) == number
        assert look_up(served, "", "SOA").answer == [f"ns.dns.{ZONE} hostmaster.{ZONE} {number} 7200 1800 86400 5"]


def test_negatives_follow_completeness(served: Served) -> None:
    """NXDOMAIN only when every member cluster has been heard, whatever was said before."""
    assert look_up(served, "nowhere.test.svc").rcode == NXDOMAIN
    served.publish(zones.update(serial=2, complete=False))
    assert look_up(served, "nowhere.test.svc").rcode == SERVFAIL
    assert look_up(served, "web.test.svc").answer == ["10.42.42.42"]
    served.publish(zones.update(serial=3))
    assert look_up(served, "nowhere.test.svc").rcode == NXDOMAIN


def test_out_of_zone_is_refused_whatever_is_published(served: Served) -> None:
    """CoreDNS's health check is answered in every state."""
    query = ask(".", "NS")
    for number in (2, 3):
        served.publish(zones.update(serial=number, complete=number == 3))
        with udp_client(served.port()) as client:
            for _ in range(2):
                client.send(query)
                assert judge(query, "udp", client.recv(512)).rcode == REFUSED


def test_views_answer_their_own(plane_name: str) -> None:
    """KEP-1645: ClusterSet IPs may differ per importing cluster."""
    updates = [zones.update(f"web.test.svc A 10.0.0.{n}", view=view) for n, view in ((1, "east"), (2, "west"))]
    with serving(plane_name, updates) as served:
        assert look_up(served, "web.test.svc", view="east").answer == ["10.0.0.1"]
        assert look_up(served, "web.test.svc", view="west").answer == ["10.0.0.2"]
        served.publish(zones.update("web.test.svc A 10.0.0.3", view="west", serial=2))
        assert look_up(served, "web.test.svc", view="east").answer == ["10.0.0.1"]
        assert look_up(served, "web.test.svc", view="west").answer == ["10.0.0.3"]


def test_a_and_aaaa_asked_in_pairs_both_move_round(plane_name: str) -> None:
    """Resolvers ask A and AAAA together: each of them begins with every address in its turn."""
    text = "".join(f"pair.test.svc A 10.0.0.{n}\npair.test.svc AAAA 2001:db8::{n}\n" for n in (1, 2))
    with serving(plane_name, [zones.update(text)]) as served, udp_client(served.port()) as client:
        first: dict[str, set[str]] = {"A": set(), "AAAA": set()}
        for _ in range(4):
            for qtype, seen in first.items():
                query = ask(f"pair.test.svc.{ZONE}", qtype)
                client.send(query)
                seen.add(judge(query, "udp", client.recv(512)).answer[0])
        assert first == {"A": {"10.0.0.1", "10.0.0.2"}, "AAAA": {"2001:db8::1", "2001:db8::2"}}
