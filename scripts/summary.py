"""`tr2m summary`, from a checkout."""

import sys

from tr2m.cli.main import main

if __name__ == "__main__":
    main(["summary", *sys.argv[1:]])
