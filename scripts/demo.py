"""`tr2m demo`, from a checkout."""

from tr2m.cli.demo import main

if __name__ == "__main__":
    main()
