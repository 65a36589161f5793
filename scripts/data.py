"""`tr2m data`, from a checkout."""

import sys

from tr2m.cli.main import main

if __name__ == "__main__":
    main(["data", *sys.argv[1:]])
