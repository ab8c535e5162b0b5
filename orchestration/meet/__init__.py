"""What Google Meet's own records say of a meeting: who was there, and who said what."""
