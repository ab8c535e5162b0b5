"""The OpenAPI document of the HTTP API: what the routes declare, with summaries, examples, and the
problems that each can answer with."""
