"""The reference client: HTTP, ingest and live, as the protocol documents say."""
