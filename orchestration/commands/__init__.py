"""The commands of the `orchestration` program, one file each."""
