"""`tr2m runs`, from a checkout."""

import sys

from tr2m.cli.main import main

if __name__ == "__main__":
    main(["runs", *sys.argv[1:]])
