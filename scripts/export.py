"""`tr2m export`, from a checkout."""

import sys

from tr2m.cli.main import main

if __name__ == "__main__":
    main(["export", *sys.argv[1:]])
