"""Session: the sans-I/O composition of audio, transcript, speakers and timing."""
