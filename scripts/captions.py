"""`tr2m captions`, from a checkout."""

import sys

from tr2m.cli.main import main

if __name__ == "__main__":
    main(["captions", *sys.argv[1:]])
