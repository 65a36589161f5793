"""`tr2m tables`, from a checkout."""

import sys

from tr2m.cli.main import main

if __name__ == "__main__":
    main(["tables", *sys.argv[1:]])
