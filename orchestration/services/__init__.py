"""Services: adapters of whisper and translation engines."""
