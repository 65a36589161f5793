"""`tr2m data`, from a checkout."""

from tr2m.cli.data import main

if __name__ == "__main__":
    main()
