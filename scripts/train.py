"""`tr2m train`, from a checkout."""

import sys

from tr2m.cli.main import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
