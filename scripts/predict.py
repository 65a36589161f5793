"""`tr2m predict`, from a checkout."""

import sys

from tr2m.cli.main import main

if __name__ == "__main__":
    main(["predict", *sys.argv[1:]])
