"""Speakers: who is in the meeting and which words are theirs. Pure."""
