"""Ray actors: mailboxes around ordinary objects."""
