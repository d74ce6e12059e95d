"""The values that the clusterset is made of."""

from __future__ import annotations

import pytest

from mcsdns.clusterset.model import Endpoint, Omission, Port, Reason, View, is_cluster_id, is_label


def test_values_cannot_be_changed() -> None:
    """The values are frozen: what crosses an arrow stays as it is."""
    for value in (Port("", "tcp", 1), Endpoint(b"", ""), Omission(Reason.MALFORMED, "", "", "")):
        for field in value.__struct_fields__:
            with pytest.raises(AttributeError, match="immutable"):
                setattr(value, field, "x")


def test_the_name_of_a_view() -> None:
    """A view bears its cluster's name, or `any`."""
    assert (View("a").name, View().name) == ("a", "any")


@pytest.mark.parametrize(
    ("text", "label", "cluster_id"),
    [
        ("a", True, True),
        ("0", True, True),
        ("a-b", True, True),
        ("a" * 63, True, True),
        ("a" * 64, False, False),
        ("a.b", False, True),
        ("a.b.c", False, False),
        ("", False, False),
        (".", False, False),
        ("a.", False, False),
        ("-a", False, False),
        ("a-", False, False),
        ("A", False, False),
        ("a\n", False, False),
        ("a_b", False, False),
        ("é", False, False),
    ],
)
def test_labels_and_cluster_ids(text: str, label: bool, cluster_id: bool) -> None:
    """One RFC 1123 label in lower case; a cluster id may have two (KEP-2149)."""
    assert (is_label(text), is_cluster_id(text)) == (label, cluster_id)
