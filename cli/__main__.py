"""`python -m valiza.cli`, the same as `valiza`."""

from valiza.cli.start import main

main()
