"""Audio: PCM, sample ranges, the rolling buffer, voice activity and the chunker. Pure."""
