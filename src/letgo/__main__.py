"""`python -m letgo`."""

from letgo.cli import main

main()
