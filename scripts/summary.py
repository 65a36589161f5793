"""`tr2m summary`, from a checkout."""

from tr2m.cli.summary import main

if __name__ == "__main__":
    main()
