"""`python -m perfcast` is the command `perfcast`."""

from perfcast.cli import main

if __name__ == "__main__":
    main(prog_name="perfcast")
