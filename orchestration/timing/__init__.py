"""Timing: one session timeline for every stream. Pure."""
