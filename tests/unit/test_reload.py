"""Following the configuration file: which looks take it, which refuse it, and what is shown."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mcsdns.admin import state
from mcsdns.config import Config
from mcsdns.configchange import Change, compare
from mcsdns.errors import ConfigError
from mcsdns.reload import ConfigFile, Reload

PATH = Path("mcsdns.yaml")
GOOD = "clusters: [{name: a, manifests: a}]"
OTHER = "clusters: [{name: a, manifests: a}]\nttl: 7"
BAD = "clusters: [{name: a, manifest: a}]"


class Written:
    """A file whose content a test sets."""

    def __init__(self, text: str) -> None:
        self.text: str | None = text

    def __call__(self, path: Path) -> str:
        if self.text is None:
            raise ConfigError(str(path), "", "cannot be read: No such file or directory")
        return self.text


def looks(written: Written, *texts: str | None, is_asked: bool = False) -> list[int | str | None]:
    """Look once at each of these contents, and give what each look says: the TTL, a problem, or nothing."""
    file = ConfigFile(PATH, written)
    file.load()
    found: list[int | str | None] = []
    for text in texts:
        written.text = text
        try:
            config = file.look(is_asked=is_asked)
        except ConfigError as error:
            found.append(error.problem)
        else:
            found.append(config.ttl if config is not None else None)
    return found


UNKNOWN = "unknown key `manifest`; config/mcsdns.yaml lists every key"
MISSING = "cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([GOOD, GOOD, GOOD], [None, None, None]),
        ([OTHER, OTHER, OTHER], [None, 7, None]),
        ([OTHER[:10], OTHER[:20], OTHER, OTHER], [None, None, None, 7]),
        ([OTHER, GOOD, GOOD], [None, None, None]),
        ([BAD, BAD, BAD, BAD], [None, UNKNOWN, None, None]),
        ([BAD, BAD, GOOD, GOOD], [None, UNKNOWN, None, 5]),
        ([None, GOOD], [None, None]),
        ([None, None, None, OTHER, OTHER], [None, MISSING, None, None, 7]),
        (["", "", ""], [None, "expected keys such as `clusters:`; see config/mcsdns.yaml", None]),
    ],
    ids=["same", "changed", "half-written", "there and back", "bad", "mended", "swapped", "missing", "emptied"],
)
def test_a_change_counts_when_two_looks_see_it(texts: list[str | None], found: list[int | str | None]) -> None:
    """Two looks in a row must see the same content, and each content is judged once."""
    assert looks(Written(GOOD), *texts) == found


def test_asked_for_it_counts_at_once() -> None:
    """SIGHUP says that the file is written: one look is enough. The same content is nothing all the same."""
    assert looks(Written(GOOD), OTHER, OTHER, BAD, BAD, GOOD, is_asked=True) == [7, None, UNKNOWN, None, 5]


def test_a_file_that_cannot_be_used_at_the_start_is_an_error() -> None:
    """At the start there is nothing that could go on."""
    with pytest.raises(ConfigError):
        ConfigFile(PATH, Written(BAD)).load()


class Following:
    """A `Reload` over a content that the test sets, with what it applied."""

    def __init__(self, fail: bool = False) -> None:
        self.written = Written(GOOD)
        self.applied: list[Change] = []
        self.shown = state.ConfigFile(str(PATH), 0.0)
        file = ConfigFile(PATH, self.written)
        self.running = file.load()
        self._fail = fail
        self.reload = Reload(file, self.shown, self._compare, self.applied.append, look_s=0.001)

    def _compare(self, new: Config) -> Change:
        if self._fail:
            raise ZeroDivisionError("a defect")
        return compare(self.running, new, ["a"], str(PATH))

    async def see(self, text: str | None, counts: str, number: int) -> None:
        """Set the content, and wait until it has counted."""
        self.written.text = text
        async with asyncio.timeout(5):
            while self.shown.reloads[counts] < number:
                await asyncio.sleep(0.001)

    async def run(self, *steps: tuple[str | None, str, int]) -> None:
        following = asyncio.create_task(self.reload.run())
        for step in steps:
            await self.see(*step)
        following.cancel()


async def test_a_bad_file_is_refused_loudly_and_the_old_one_goes_on() -> None:
    """One ERROR with the words of the error, shown until the file is mended; nothing is applied."""
    following = Following()
    with capture_logs() as log:
        await following.run((BAD, "failure", 1))
    assert following.applied == []
    assert following.shown.error == f"mcsdns.yaml: clusters[0]: {UNKNOWN}"
    assert [(line["log_level"], line["event"], line["problem"]) for line in log] == [
        ("error", "configuration refused", following.shown.error)
    ]
    await following.run((OTHER, "success", 1))
    assert following.shown.error is None
    assert following.shown.loaded_at > 0
    assert [change.keys for change in following.applied] == [("ttl",)]


async def test_what_waits_for_a_restart_is_shown_until_the_keys_agree() -> None:
    """A WARNING names the keys, and /status while they differ."""
    following = Following()
    with capture_logs() as log:
        await following.run((f"{GOOD}\nzone: other.example", "success", 1))
        assert set(following.shown.waiting) == {"zone"}
        await following.run((GOOD, "success", 2))
    assert following.shown.waiting == {}
    assert [line["keys"] for line in log if line["log_level"] == "warning"] == [{"zone": "restart mcsdns to apply it"}]


async def test_a_defect_of_ours_is_a_refusal() -> None:
    """A file never ends a server that runs: not even one that we fail at."""
    following = Following(fail=True)
    await following.run((OTHER, "failure", 1))
    assert following.shown.error == "mcsdns failed: ZeroDivisionError: a defect"
    assert following.applied == []


async def test_asked_for_an_unchanged_file_it_says_so() -> None:
    """Who sends SIGHUP gets a line in the log, whatever the file."""
    following = Following()
    with capture_logs() as log:
        running = asyncio.create_task(following.reload.run())
        following.reload.ask()
        async with asyncio.timeout(5):
            while not log:
                await asyncio.sleep(0.001)
        running.cancel()
    assert log[0]["event"] == "configuration unchanged"
