"""`tr2m eval`, from a checkout."""

import sys

from tr2m.cli.main import main

if __name__ == "__main__":
    main(["eval", *sys.argv[1:]])
