"""The edge: HTTP routes, WebSocket ingest and live, and the wire messages."""
