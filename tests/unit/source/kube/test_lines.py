"""Lines out of chunks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcsdns.errors import StreamError
from mcsdns.source.kube.lines import LineSplitter


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=12), st.data())
def test_any_chunking_gives_the_same_lines(lines: list[bytes], data: st.DataObject) -> None:
    """However the bytes are cut, the lines are the same; the unfinished one is never given out."""
    stream = b"".join(line + b"\n" for line in lines) + b"unfinished"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    splitter, found = LineSplitter(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += splitter.feed(stream[start:end])
    assert found == [line for line in lines if line]


@pytest.mark.parametrize(
    "chunks", [[b"x" * 11], [b"x" * 6] * 2, [b"a\n" + b"x" * 11], [b"x" * 11 + b"\n"], [b"a\n" + b"x" * 11 + b"\n"]]
)
def test_a_line_is_bounded(chunks: list[bytes]) -> None:
    """A line longer than the limit is refused, ended or not."""
    splitter = LineSplitter(limit=10)
    for chunk in chunks[:-1]:
        splitter.feed(chunk)
    with pytest.raises(StreamError, match="longer than 10"):
        splitter.feed(chunks[-1])


def test_a_line_of_the_limit_passes() -> None:
    """The limit itself is allowed, however often."""
    splitter = LineSplitter(limit=10)
    assert splitter.feed(b"x" * 10 + b"\n" + b"y" * 10 + b"\n") == [b"x" * 10, b"y" * 10]
