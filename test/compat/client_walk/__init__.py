"""A walk over every method of the Python REST client, against a running manager."""
