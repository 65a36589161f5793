"""`tr2m benchmark`, from a checkout."""

from tr2m.cli.benchmark import main

if __name__ == "__main__":
    main()
