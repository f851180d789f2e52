"""`python -m redstart`: the command line, where `om` is not on the path."""

from redstart.cli.main import main

if __name__ == "__main__":
    main()
