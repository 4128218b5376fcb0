"""A model and its whole story in one folder, signed, for people who have neither the repository nor a server."""
