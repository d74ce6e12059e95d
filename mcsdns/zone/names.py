"""
Domain names in wire format: `bytes`, lower case, uncompressed, ending in the root's zero octet (RFC 1035 §3.1).

Rules:
1. Inside mcsdns an owner name is always such bytes. Text is for people, in configuration, master files and explanations.
2. Labels are 8-bit clean (RFC 2181 §11); only ASCII letters have a case (RFC 4343).
3. Lowering a whole name is safe: a length octet is at most 63 and so is never a letter.
"""

from __future__ import annotations

from collections.abc import Iterator

ROOT = b"\x00"
MAX_NAME = 255
"""Longest name in octets, length octets and the root's included (RFC 1035 §2.3.4)."""
MAX_LABEL = 63
"""Longest label in octets (RFC 1035 §2.3.4)."""


def child(label: str, parent: bytes) -> bytes:
    """
    Put one label in front of a name.

    Args:
        label: ASCII, lower case.
        parent: Wire format.

    Raises:
        ValueError: The label is empty or over 63 octets, or the name would pass 255.
    """
    raw = label.encode("ascii")
    if not 0 < len(raw) <= MAX_LABEL:
        raise ValueError(f"the label {label!r} has {len(raw)} octets; 1 to {MAX_LABEL} are allowed")
    name = bytes((len(raw),)) + raw + parent
    if len(name) > MAX_NAME:
        raise ValueError(f"the name {to_text(name)} has {len(name)} octets; at most {MAX_NAME} are allowed")
    return name


def below(labels: str, parent: bytes) -> bytes:
    """Put dotted labels in front of a name: `below("a.b", Z)` is `a.b.Z`. Raises as `child`."""
    for label in reversed(labels.split(".")):
        parent = child(label, parent)
    return parent


def from_text(text: str) -> bytes:
    """
    Read a name as people type it: with or without the last dot, any case, `\\.` and `\\DDD` escapes (RFC 1035 §5.1).

    Raises:
        ValueError: A label is empty or too long, an escape is wrong, or a character is not ASCII.
    """
    if text in ("", "."):
        return ROOT
    name = b""
    for label in _split(text):
        if not 0 < len(label) <= MAX_LABEL:
            raise ValueError(f"the name {text!r} holds a label of {len(label)} octets; 1 to {MAX_LABEL} are allowed")
        name += bytes((len(label),)) + label
    name += ROOT
    if len(name) > MAX_NAME:
        raise ValueError(f"the name {text!r} has {len(name)} octets; at most {MAX_NAME} are allowed")
    return name.lower()


def to_text(name: bytes) -> str:
    """Write a name as a master file does, with the last dot (RFC 1035 §5.1, RFC 4343 §2.1)."""
    if name == ROOT:
        return "."
    return "".join("".join(_escape(octet) for octet in label) + "." for label in labels(name))


def labels(name: bytes) -> Iterator[bytes]:
    """Give the labels of a name from the left, without the root."""
    at = 0
    while size := name[at]:
        yield name[at + 1 : at + 1 + size]
        at += 1 + size


def suffixes(name: bytes) -> Iterator[bytes]:
    """Give the name itself and then each of its ancestors, the root last."""
    at = 0
    while size := name[at]:
        yield name[at:]
        at += 1 + size
    yield ROOT


def parent(name: bytes) -> bytes:
    """Return the name without its first label."""
    return name[1 + name[0] :]


def is_within(name: bytes, zone: bytes) -> bool:
    """Tell whether `name` is `zone` or below it, label by label and not as a string (CVE-2026-33489)."""
    return name.endswith(zone) and zone in suffixes(name)


def _split(text: str) -> Iterator[bytes]:
    label = bytearray()
    at = 0
    is_ended = False
    while at < len(text):
        letter = text[at]
        at += 1
        is_ended = letter == "."
        if is_ended:
            yield bytes(label)
            label.clear()
        elif letter == "\\":
            digits = text[at : at + 3]
            if len(digits) == 3 and digits.isascii() and digits.isdecimal() and int(digits) < 256:
                label.append(int(digits))
                at += 3
            elif at < len(text) and not text[at].isdigit() and text[at].isascii():
                label += text[at].encode("ascii")
                at += 1
            else:
                raise ValueError(f"the name {text!r} holds a wrong escape at character {at}")
        elif letter.isascii():
            label += letter.encode("ascii")
        else:
            raise ValueError(f"the name {text!r} holds {letter!r}, which is not ASCII; write it as an A-label (xn--…)")
    if not is_ended:
        yield bytes(label)


def _escape(octet: int) -> str:
    if octet in b'.\\"();@$':
        return "\\" + chr(octet)
    return chr(octet) if 0x21 <= octet <= 0x7E else f"\\{octet:03}"
