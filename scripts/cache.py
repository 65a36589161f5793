"""`tr2m cache`, from a checkout."""

from tr2m.cli.cache import main

if __name__ == "__main__":
    main()
