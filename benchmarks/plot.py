"""
`python -m benchmarks.plot`: what documents show of a run of `benchmarks.queries`, made from the figures that it wrote.

    python -m benchmarks.queries --json benchmarks/results/queries.json
    python -m benchmarks.plot

It writes the picture `docs/images/queries.svg`, and the tables between `<!-- queries … -->` and `<!-- /queries -->` in README.md and
benchmarks/README.md.

Rules:
1. No figure is typed: what is shown is in the file. A test holds the documents to what this would write.
2. The picture stands on a ground of its own, light or dark as the reader has it, and is told in words to those who do not see it.

Not here: measuring (`queries`).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from jinja2 import Environment, StrictUndefined

from .report import table

ROOT: Final = Path(__file__).parent.parent
FIGURES: Final = ROOT / "benchmarks" / "results" / "queries.json"
PICTURE: Final = ROOT / "docs" / "images" / "queries.svg"
BEGIN: Final = "<!-- queries: `python -m benchmarks.plot` writes this -->\n"
END: Final = "<!-- /queries -->\n"
NAMES: Final = {
    "mcsdns-native": "mcsdns, native",
    "mcsdns-python": "mcsdns, python",
    "CoreDNS": "CoreDNS multicluster",
}
"""What readers are told in place of a server's name in the file; others stay."""
LIGHT: Final = {"ground": "#ffffff", "ink": "#1f2328", "ours": "#0969da", "other": "#818b98"}
DARK: Final = {"ground": "#0d1117", "ink": "#f0f6fc", "ours": "#4493f8", "other": "#656c76"}

Figures = Mapping[str, Any]


class Panel(NamedTuple):
    """One bar chart: its mode and figure in the file, and what stands above it."""

    mode: str
    figure: str
    title: str
    form: str


class Aim(NamedTuple):
    """What was aimed at: a figure of one server, over that of another, at most or at least."""

    text: str
    mode: str
    server: str
    base: str
    figure: str
    bound: float
    is_least: bool


PANELS: Final = (
    Panel("UDP", "cpu_us", "CPU per UDP query, µs (less is better)", "{:.1f}"),
    Panel("TCP", "per_second", "TCP queries a second (more is better)", "{:,.0f}"),
)
AIMS: Final = (
    Aim("Python plane: CPU per UDP query ≤ 0.6 × CoreDNS", "UDP", "mcsdns-python", "CoreDNS", "cpu_us", 0.6, False),
    Aim("native plane: CPU per UDP query ≤ 0.92 × NSD", "UDP", "mcsdns-native", "NSD", "cpu_us", 0.92, False),
    Aim("native plane: … ≤ 0.23 × CoreDNS", "UDP", "mcsdns-native", "CoreDNS", "cpu_us", 0.23, False),
    Aim("native plane: TCP queries/s ≥ Knot", "TCP", "mcsdns-native", "Knot", "per_second", 1.0, True),
)

_SVG: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="860" height="{{ height }}" viewBox="0 0 860 {{ height }}"
 role="img" aria-labelledby="t d">
<title id="t">{{ title }}</title>
<desc id="d">{{ told }}</desc>
<style>
.ground { fill: {{ light.ground }} } text { fill: {{ light.ink }}; font: 13px system-ui, sans-serif }
.head { font-weight: 600 } .ours { fill: {{ light.ours }} } .other { fill: {{ light.other }} }
@media (prefers-color-scheme: dark) {
.ground { fill: {{ dark.ground }} } text { fill: {{ dark.ink }} } .ours { fill: {{ dark.ours }} } .other { fill: {{ dark.other }} }
}
</style>
<rect class="ground" width="860" height="{{ height }}" rx="6"/>
{% for panel in panels %}
{% set left = 16 + loop.index0 * 430 %}
<text class="head" x="{{ left }}" y="26">{{ panel.title }}</text>
{% for bar in panel.bars %}
{% set y = 40 + loop.index0 * 28 %}
<text{% if bar.is_ours %} class="head"{% endif %} x="{{ left + 150 }}" y="{{ y + 15 }}" text-anchor="end">{{ bar.name }}</text>
<rect class="{{ 'ours' if bar.is_ours else 'other' }}" x="{{ left + 158 }}" y="{{ y }}" width="{{ bar.width }}" height="20" rx="2"/>
<text x="{{ left + 164 + bar.width }}" y="{{ y + 15 }}">{{ bar.value }}</text>
{% endfor %}
{% endfor %}
</svg>
"""
_LONGEST: Final = 180
"""Length of the longest bar, in pixels: its value stands behind it."""


def main() -> None:
    """Write the picture and the tables."""
    figures = read()
    PICTURE.write_text(picture(figures))
    for path, text in documents(figures).items():
        path.write_text(text)


def read(path: Path = FIGURES) -> Figures:
    """Read the figures of a run."""
    return json.loads(path.read_text())  # type: ignore[no-any-return]


def documents(figures: Figures) -> dict[Path, str]:
    """Give the documents with their tables as they should be."""
    made = {ROOT / "README.md": summary(figures), ROOT / "benchmarks" / "README.md": details(figures)}
    return {path: _between(path.read_text(), text) for path, text in made.items()}


def picture(figures: Figures) -> str:
    """Draw the panels beside each other."""
    servers = list(figures["modes"]["UDP"])
    panels = [{"title": panel.title, "bars": _bars(figures, panel)} for panel in PANELS]
    told = " ".join(
        f"{panel.title}: " + ", ".join(f"{bar['name']} {bar['value']}" for bar in _bars(figures, panel)) + "."
        for panel in PANELS
    )
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return page.from_string(_SVG).render(
        title=f"mcsdns beside {', '.join(name(one) for one in servers if not one.startswith('mcsdns'))}",
        told=told,
        panels=panels,
        height=56 + 28 * len(servers),
        light=LIGHT,
        dark=DARK,
    )


def name(server: str) -> str:
    """Tell a server's name to readers."""
    return NAMES.get(server, server)


def summary(figures: Figures) -> str:
    """Make the table of README.md."""
    udp, tcp = figures["modes"]["UDP"], figures["modes"]["TCP"]
    head = ["", "CPU µs per UDP query", "÷ CoreDNS", "UDP queries/s", "TCP queries/s"]
    rows = (
        [name(one), f"{row['cpu_us']:.1f}", f"{row['ratios']['CoreDNS']:.2f}", *(_rate(of[one]) for of in (udp, tcp))]
        for one, row in udp.items()
    )
    return table(head, rows)


def details(figures: Figures) -> str:
    """Make the tables of benchmarks/README.md: what a run prints, and what was aimed at."""
    command, *facts = figures["head"]
    parts = [
        f"`{command}`\n",
        "\n".join(facts) + "\n",
        *(mode_table(mode, of) for mode, of in figures["modes"].items()),
    ]
    return "\n".join([*parts, aims(figures)])


def mode_table(mode: str, rows: Mapping[str, Any]) -> str:
    """Make the table of one mode, as `benchmarks.queries` prints it."""
    bases = list(next(iter(rows.values()))["ratios"])
    head = [mode, "CPU µs per query", *(f"÷ {base}" for base in bases), "queries/s", "least–most µs", "answers"]
    return table(head, (_row(server, row) for server, row in rows.items()))


def aims(figures: Figures) -> str:
    """Make the table of what was aimed at."""
    rows = []
    for aim in AIMS:
        of = figures["modes"][aim.mode]
        ratio = of[aim.server][aim.figure] / of[aim.base][aim.figure]
        if aim.figure == "cpu_us":
            ratio = of[aim.server]["ratios"][aim.base]
        is_met = ratio >= aim.bound if aim.is_least else ratio <= aim.bound
        rows.append([aim.text, f"{ratio:.2f} × {aim.base}", "met" if is_met else "**missed**"])
    return table(["aim", "is", ""], rows)


def _row(server: str, row: Mapping[str, Any]) -> list[str]:
    spread = f"{row['cpu_us_least']:.2f}–{row['cpu_us_most']:.2f}"
    ratios = [f"{ratio:.2f}" for ratio in row["ratios"].values()]
    return [server, f"{row['cpu_us']:.2f}", *ratios, _rate(row), spread, row["answers"]]


def _rate(row: Mapping[str, Any]) -> str:
    return f"{row['per_second']:,}"


def _bars(figures: Figures, panel: Panel) -> list[dict[str, Any]]:
    rows = figures["modes"][panel.mode]
    most = max(row[panel.figure] for row in rows.values())
    return [
        {
            "name": name(server),
            "is_ours": server.startswith("mcsdns"),
            "value": panel.form.format(row[panel.figure]),
            "width": round(row[panel.figure] / most * _LONGEST),
        }
        for server, row in rows.items()
    ]


def _between(document: str, text: str) -> str:
    """Put a text between the marks of a document."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected {BEGIN.strip()} and {END.strip()} in a document that begins with {document[:20]!r}")
    return f"{before}{begin}\n{text}\n{end}{after}"


if __name__ == "__main__":
    main()
