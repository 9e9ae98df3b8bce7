"""`python -m wireloom`."""

from wireloom.cli import main

if __name__ == "__main__":
    main()
