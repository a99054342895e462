"""`python -m specchat`: the same as the `specchat` command."""

from specchat.commands.main import main

if __name__ == "__main__":
    main()
