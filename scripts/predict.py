"""`tr2m predict`, from a checkout."""

from tr2m.cli.predict import main

if __name__ == "__main__":
    main()
