"""Storage: PostgreSQL, embedded or given, behind narrow ports."""
