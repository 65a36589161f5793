"""`tr2m cache`, from a checkout."""

import sys

from tr2m.cli.main import main

if __name__ == "__main__":
    main(["cache", *sys.argv[1:]])
