"""`tr2m tables`, from a checkout."""

from tr2m.cli.tables import main

if __name__ == "__main__":
    main()
