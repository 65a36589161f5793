"""`tr2m eval`, from a checkout."""

from tr2m.cli.eval import main

if __name__ == "__main__":
    main()
