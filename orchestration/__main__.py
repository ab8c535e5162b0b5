"""`python -m orchestration` is the `orchestration` command."""

from orchestration.cli import main

main()
