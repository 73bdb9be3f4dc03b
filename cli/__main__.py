"""`python -m valiza.cli`, the same as `valiza`."""

from valiza.cli.main import main

main()
