"""Transcript: words, stitching, segments, coverage and exports. Pure."""
