"""How long a reflector waits: bounds, jitter, floor, budget, reset."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from mcsdns.source.kube.backoff import Backoff


class Highest(Random):
    """Always draws the upper bound."""

    def uniform(self, a: float, b: float) -> float:
        return b


class Lowest(Random):
    """Always draws the lower bound."""

    def uniform(self, a: float, b: float) -> float:
        return a


def test_bounds_double_up_to_the_most() -> None:
    """0.8 s doubling to 30 s."""
    backoff, now, waits = Backoff(Highest()), 0.0, []
    for _ in range(8):
        waits.append(backoff.fail(now))
        now += waits[-1]
    assert waits == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]


def test_the_jitter_is_full() -> None:
    """Any wait between nothing and the bound is drawn."""
    waits = sorted(Backoff(Random(seed)).fail(0.0) for seed in range(1000))
    assert waits[0] < 0.01
    assert waits[-1] > 0.79
    assert 0.38 < waits[500] < 0.42


def test_what_the_server_asks_for_is_a_floor() -> None:
    """`Retry-After` on 429 and 503 is a floor, and does not shorten a longer wait."""
    assert Backoff(Lowest()).fail(0.0, 7.0) == 7.0
    assert Backoff(Highest()).fail(0.0, 0.1) == 0.8


def test_health_resets() -> None:
    """After 120 s of health the waits begin anew, and not before."""
    for pause_s, expected in ((119.0, 3.2), (121.0, 0.8)):
        backoff = Backoff(Highest())
        now = backoff.fail(0.0)
        now += backoff.fail(now)
        assert backoff.fail(now + pause_s) == expected


@given(st.integers(), st.lists(st.floats(0.0, 0.5), min_size=60, max_size=60))
def test_at_most_five_tries_in_the_first_ten_seconds(seed: int, took: list[float]) -> None:
    """At most 5 requests in any 10 s, whatever is drawn; at most 0.25 requests/s in the long run."""
    backoff, now, tries = Backoff(Random(seed)), 0.0, []
    for spent in took:
        tries.append(now)
        now += spent
        now += backoff.fail(now)
    for start in tries:
        assert sum(1 for at in tries if start <= at < start + 9.49) <= 5
    assert len(tries) / tries[-1] <= 0.25
