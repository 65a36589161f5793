"""`tr2m app`, from a checkout."""

import sys

from tr2m.cli.main import main

if __name__ == "__main__":
    main(["app", *sys.argv[1:]])
