"""`tr2m figures`, from a checkout."""

import sys

from tr2m.cli.main import main

if __name__ == "__main__":
    main(["figures", *sys.argv[1:]])
