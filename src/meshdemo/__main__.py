"""``python -m meshdemo``."""

import sys

from meshdemo.cli import main

if __name__ == "__main__":
    sys.exit(main())
