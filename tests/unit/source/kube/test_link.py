"""When a token is replaced; what needs files and servers is in tests/source."""

from __future__ import annotations

import pytest

from mcsdns.source.kube.link import renewal_s

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("left_s", "expected_s"),
    [
        (3600.0, 3540.0),
        (300.0, 240.0),
        (10.0, 8.0),
        (0.0, 60.0),
        (-5.0, 60.0),
        (-86400.0, 60.0),
        (3600.0 + 86400.0, 3540.0 + 86400.0),
    ],
)
def test_when_a_token_is_replaced(left_s: float, expected_s: float) -> None:
    """A minute before its end, or at four fifths of a short life; one that came expired is not asked for on and on."""
    assert renewal_s(NOW + left_s, NOW) == pytest.approx(expected_s)


def test_a_token_without_an_end() -> None:
    """It is never replaced for its age."""
    assert renewal_s(None, NOW) == float("inf")
