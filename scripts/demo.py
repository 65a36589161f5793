"""`tr2m demo`, from a checkout."""

import sys

from tr2m.cli.main import main

if __name__ == "__main__":
    main(["demo", *sys.argv[1:]])
