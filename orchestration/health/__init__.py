"""How the service is: what probes and figures add up to. All but `system` is pure."""
