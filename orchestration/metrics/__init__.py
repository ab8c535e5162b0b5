"""What the service counts and measures, and how that is gathered."""
