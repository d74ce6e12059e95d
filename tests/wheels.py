"""
Building wheels in tests: away from the checkout and its environment, and yet without compiling the same again for each.

Not here: what a wheel has to hold (`tests/project/test_package.py`, `tests/e2e/test_image.py`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

TARGET: Final = Path(__file__).parents[1] / "rust" / "target" / "wheel"


def environment() -> dict[str, str]:
    """
    Give the variables for a build: nothing of the environment of the tests, and one folder for cargo.

    Cargo compiles there what is not there yet from sources with the same names, times and lock file; PyO3 is compiled again where
    `PYO3_PYTHON` changes, which is otherwise the interpreter of pip's environment for one build.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {"CARGO_TARGET_DIR": str(TARGET), "PYO3_PYTHON": sys.executable} | environ
