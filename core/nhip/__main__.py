"""``python -m nhip`` is the command ``nhip``."""

from nhip.cli import main

if __name__ == "__main__":
    main()
