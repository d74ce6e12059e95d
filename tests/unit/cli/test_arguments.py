"""Arguments of the verbs that are none, and what shells complete."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from mcsdns.cli import main, make_parser
from mcsdns.cli.arguments import is_coloured
from mcsdns.cli.completion import SHELLS


@pytest.fixture(autouse=True)
def log_set_up() -> Iterator[None]:
    """Undo what the command sets for the whole process."""
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--server", "mcsdns"), "expected an address such as 10.96.0.53"),
        (("--resolver", "10.0.0.1:0"), "expected an address"),
        (("--timeout", "0"), "expected seconds above 0"),
        (("--zone", "."), "expected a domain name"),
        (("--name", "x" * 64), "--name"),
        (("--admin", "127.0.0.1:9153"), "expected a URL"),
        (("--context", "west"), "expected --kubeconfig"),
    ],
)
def test_doctor(arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, one line that says what was expected, and nothing is asked."""
    try:
        code = main(["doctor", *arguments])
    except SystemExit as error:
        code = int(error.code or 0)
    printed = capsys.readouterr()
    assert (code, printed.out) == (2, "")
    assert words in printed.err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, unless it knows none or somebody wants none; never elsewhere."""
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    assert is_coloured(Terminal())
    assert not is_coloured(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "")
    assert is_coloured(Terminal()), "set and empty is not set (no-color.org)"
    monkeypatch.setenv("NO_COLOR", "1")
    assert not is_coloured(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not is_coloured(Terminal())


def verbs() -> dict[str, set[str]]:
    """Give the long options of each verb, by the parser itself."""
    (verbs,) = [one for one in make_parser()._actions if one.dest == "==SUPPRESS==" and one.choices is not None] or [
        one for one in make_parser()._actions if isinstance(one.choices, dict)
    ]
    assert isinstance(verbs.choices, dict)
    return {
        name: {text for action in parser._actions for text in action.option_strings if text.startswith("--")}
        for name, parser in verbs.choices.items()
    }


@pytest.mark.parametrize("shell", SHELLS)
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every verb and every option is in it."""
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for verb, options in verbs().items():
        assert verb in script
        for option in options:
            assert (option if shell != "fish" else f"-l {option[2:]}") in script or f"{option[2:]}" in script, (
                verb,
                option,
            )


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("mcsdns d", "doctor"),
        ("mcsdns doctor --res", "--resolver"),
        ("mcsdns wiring --for node", "nodelocal"),
        ("mcsdns explain x --output j", "json"),
        ("mcsdns serve --config file-of-t", "file-of-this-test"),
    ],
)
def test_completion_in_bash(typed: str, completed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a person types is completed by a real bash."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("this machine has no bash")
    main(["completion", "bash"])
    (tmp_path / "complete").write_text(capsys.readouterr().out)
    (tmp_path / "file-of-this-test").touch()
    words = typed.split(" ")
    script = f"""
        source ./complete
        COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}; COMP_LINE='{typed}'; COMP_POINT=${{#COMP_LINE}}
        _shtab_mcsdns mcsdns {words[-1]} {words[-2]}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        [bash, "-c", script], cwd=tmp_path, env=os.environ, capture_output=True, text=True, timeout=20, check=False
    )
    assert completed in done.stdout.split(), done


def test_every_argument_says_what_it_is() -> None:
    """`--help` is complete: each verb has a description and its exit codes, and each argument a word of help."""
    for name, verb in _verbs().items():
        assert verb.description, name
        assert "Exit codes: 0 " in (verb.epilog or ""), name
        for action in verb._actions:
            assert action.help, (name, action.dest)


@pytest.mark.parametrize("verb", ["serve", "check", "export", "explain", "doctor", "wiring", "completion"])
def test_examples_can_be_typed(verb: str) -> None:
    """The help of each verb ends in examples, each on a line of its own, that its arguments take."""
    _, marked, examples = _verbs()[verb].format_help().partition("Examples:\n\n")
    assert marked
    for line in examples.splitlines():
        command = line.partition("#")[0].partition(">")[0].removeprefix('  eval "$(').replace(')"', "").split()
        assert command[:2] == ["mcsdns", verb]
        make_parser().parse_args(command[1:])


def _verbs() -> dict[str, argparse.ArgumentParser]:
    (choice,) = [one for one in make_parser()._actions if isinstance(one.choices, dict)]
    assert isinstance(choice.choices, dict)
    return choice.choices
