"""What documents show of the benchmark of queries is what `benchmarks.plot` makes of the figures that the benchmark wrote."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import plot

SVG = "{http://www.w3.org/2000/svg}"
FIGURES = plot.read()
AGAIN = "python -m benchmarks.plot"


@pytest.fixture
def root() -> ET.Element:
    """The picture, as XML."""
    return ET.fromstring(plot.PICTURE.read_text())


def test_the_picture_is_of_the_figures() -> None:
    """The picture is what is drawn of the file of figures."""
    assert plot.PICTURE.read_text() == plot.picture(FIGURES), AGAIN


@pytest.mark.parametrize("path", plot.documents(FIGURES), ids=lambda path: str(path.relative_to(plot.ROOT)))
def test_the_tables_are_of_the_figures(path: Path) -> None:
    """The tables between the marks are what is made of the file of figures."""
    assert path.read_text() == plot.documents(FIGURES)[path], AGAIN


def test_another_run_is_another_picture() -> None:
    """A figure that moves is seen in the picture and in both tables."""
    other = copy.deepcopy(FIGURES)
    other["modes"]["UDP"]["mcsdns-native"]["cpu_us"] = 40.4
    assert "40.4" in plot.picture(other)
    assert all("40.4" in text for text in plot.documents(other).values())
    other["modes"]["UDP"]["mcsdns-native"]["ratios"]["NSD"] = 1.5
    assert "1.50 × NSD | **missed**" in plot.aims(other)
    other["modes"]["UDP"]["mcsdns-native"]["ratios"]["NSD"] = 0.5
    assert "0.50 × NSD | met" in plot.aims(other)


def test_the_picture_is_told_in_words(root: ET.Element) -> None:
    """It has a title and a description, which are its label, and every figure that is drawn is in the description."""
    assert root.get("role") == "img"
    labels = [root.find(f"{SVG}{tag}") for tag in ("title", "desc")]
    assert root.get("aria-labelledby") == " ".join(one.get("id", "") for one in labels if one is not None)
    told = labels[1].text or "" if labels[1] is not None else ""
    for panel in plot.PANELS:
        for server, row in FIGURES["modes"][panel.mode].items():
            assert f"{plot.name(server)} {panel.form.format(row[panel.figure])}" in told


def test_nothing_in_the_picture_is_cut_off(root: ET.Element) -> None:
    """Bars and their values end within it, beside the other panel; the longest bar is that of the largest figure."""
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    bars = [one for one in root.iter(f"{SVG}rect") if one.get("class") != "ground"]
    assert len(bars) == sum(len(FIGURES["modes"][panel.mode]) for panel in plot.PANELS)
    for one in bars:
        right = float(one.get("x", "0")) + float(one.get("width", "0")) + 65
        assert right <= (width / 2 if float(one.get("x", "0")) < width / 2 else width)
        assert float(one.get("y", "0")) + float(one.get("height", "0")) <= height - 8


@pytest.mark.parametrize("colours", [plot.LIGHT, plot.DARK], ids=["light", "dark"])
def test_it_can_be_read(colours: dict[str, str]) -> None:
    """Text has a contrast of 4.5 to the ground, bars one of 3 (WCAG 2.2, 1.4.3 and 1.4.11), in light and in dark."""
    assert _contrast(colours["ink"], colours["ground"]) >= 4.5
    assert all(_contrast(colours[bar], colours["ground"]) >= 3 for bar in ("ours", "other"))


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(part, 16) / 255) for part in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _parts(colour: str) -> Iterator[str]:
    yield from re.findall("[0-9a-f]{2}", colour)


def _linear(share: float) -> float:
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
