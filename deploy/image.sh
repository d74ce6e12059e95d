#!/bin/sh
# How the container image is made, step by step: deploy/Dockerfile runs these, and so do the tests, as there is no container engine there.
#   image.sh wheel SOURCES FOLDER    build the wheel, native plane and all, from a tree of sources
#   image.sh install FOLDER PREFIX   install the wheel and what it needs into an environment of its own
# Each fails where the native plane is missing: what is optional for pip is not optional here.
set -eu

case "$1" in
wheel)
  python3 -m pip wheel --quiet --disable-pip-version-check --no-cache-dir --no-deps --wheel-dir "$3" "$2"
  python3 -m zipfile --list "$3"/mcsdns-*.whl | grep '_plane.*\.so' >/dev/null || {
    echo "image.sh: the wheel has no native plane; see what cargo said above" >&2
    exit 1
  }
  ;;
install)
  python3 -m venv "$3"
  "$3/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir "$2"/mcsdns-*.whl
  # Nothing is installed into it later.
  "$3/bin/python" -m pip uninstall --quiet --yes --disable-pip-version-check pip
  "$3/bin/mcsdns" --version | grep '(plane: native)' >/dev/null || {
    echo "image.sh: the native plane is installed and cannot be loaded" >&2
    exit 1
  }
  ;;
*)
  echo "image.sh: expected wheel or install, found $1" >&2
  exit 2
  ;;
esac
