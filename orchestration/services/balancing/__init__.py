"""Which upstream a request goes to: no I/O, and time is an argument."""
