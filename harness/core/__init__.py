"""Pure rules and types: no clock, no socket, no AWS."""
