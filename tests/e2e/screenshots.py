"""
The pictures of the README: the pages of the demo clusterset, in Chromium. `python -m tests.e2e.screenshots` writes them to docs/images.

It serves the demo on its own ports, which have to be free. Run it again when the pages change.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image

from tests.e2e.browser import Browser
from tests.e2e.server import COMMAND, Server

FOLDER: Final = Path(__file__).parents[2] / "docs" / "images"
WIDE: Final = 960
PHONE: Final = 360
HEIGHT: Final = 600
COLOURS: Final = 48

PICTURES: Final = (
    ("status.png", "/", WIDE, 760),
    ("explain.png", "/explain?name=queue.data.svc.clusterset.local", WIDE, 620),
    ("services.png", "/services", WIDE, HEIGHT),
    ("phone.png", "/", PHONE, 680),
)
"""File, path, width and height in CSS pixels."""


class _Demo(Server):
    """The demo as it is served without a configuration."""

    def command(self) -> list[str]:
        """Name no configuration."""
        super().command()
        return [str(COMMAND), "serve", "--log-format", "json"]


def main() -> None:
    """Take every picture."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, _Demo(Path(folder), []) as demo, Browser(Path(folder)) as browser:
        for name, path, width, height in PICTURES:
            tab = browser.tab(width, height)
            tab.open(demo.admin_url + path)
            tab.picture(FOLDER / name)
            with Image.open(FOLDER / name) as picture:  # a page has few colours: a palette makes it a third as large
                picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(FOLDER / name, optimize=True)
            sys.stdout.write(f"{FOLDER / name}: {(FOLDER / name).stat().st_size} octets\n")


if __name__ == "__main__":
    main()
