"""`tr2m train`, from a checkout."""

from tr2m.cli.train import main

if __name__ == "__main__":
    main()
