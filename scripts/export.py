"""`tr2m export`, from a checkout."""

from tr2m.cli.export import main

if __name__ == "__main__":
    main()
