"""Orchestration: meeting audio in, one named and translated transcript out."""

__version__ = "0.1.0"
