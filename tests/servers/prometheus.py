"""Prometheus as a process: what it scrapes, and what it answers."""

import json
import urllib.parse
import urllib.request
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from .process import Server, free_port
from .tools import need

_ASK_LIMIT_S: Final = 10.0


class Prometheus(Server):
    """
    Prometheus of Debian, which scrapes twice a second and forgets everything when its folder goes.

    Args:
        targets: By the value of `instance`, the address that is scraped, `host:port`.
        rules: Files of rules, evaluated each second.
        folder: Where its configuration, data and log are.
        cpus: Numbers of the cores to run on, or None for all of them.
    """

    def __init__(
        self, targets: Mapping[str, str], rules: Collection[Path], folder: Path, cpus: Collection[int] | None = None
    ) -> None:
        super().__init__("prometheus", folder, cpus)
        self.port = free_port()
        self._targets = targets
        self._rules = rules

    def command(self) -> list[str]:
        """Write the configuration."""
        config = {
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "1s"},
            "rule_files": [str(path.resolve()) for path in self._rules],
            "scrape_configs": [
                {
                    "job_name": "mcsdns",
                    "static_configs": [
                        {"targets": [address], "labels": {"instance": instance}}
                        for instance, address in self._targets.items()
                    ],
                }
            ],
        }
        path = self.folder / "prometheus.yml"
        path.write_text(json.dumps(config))
        return [
            need("prometheus"),
            f"--config.file={path}",
            f"--storage.tsdb.path={self.folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]

    def is_ready(self) -> bool:
        """Ask whether it answers queries."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=_ASK_LIMIT_S) as answer:
            return bool(answer.status == 200)

    def get(self, path: str, **parameters: str) -> Any:
        """Ask its API, and give what it answers."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=_ASK_LIMIT_S) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[Any]:
        """Evaluate an expression now, and give the samples: `metric` (labels) and `value` (time and number)."""
        return list(self.get("query", query=expression)["result"])
