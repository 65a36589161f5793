"""`tr2m figures`, from a checkout."""

from tr2m.cli.figures import main

if __name__ == "__main__":
    main()
