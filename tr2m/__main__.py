"""`python -m tr2m <command>` is `tr2m <command>`: for torchrun, and where the program is not on the path."""

from tr2m.cli.main import main

if __name__ == "__main__":
    main()
