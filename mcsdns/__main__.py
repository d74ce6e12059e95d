"""`python -m mcsdns` is the command `mcsdns`."""

import sys

from mcsdns.cli import main

if __name__ == "__main__":
    sys.exit(main())
