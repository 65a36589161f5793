"""`tr2m benchmark`, from a checkout."""

import sys

from tr2m.cli.main import main

if __name__ == "__main__":
    main(["benchmark", *sys.argv[1:]])
