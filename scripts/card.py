"""`tr2m card`, from a checkout."""

import sys

from tr2m.cli.main import main

if __name__ == "__main__":
    main(["card", *sys.argv[1:]])
