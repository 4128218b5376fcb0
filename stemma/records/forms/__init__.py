"""The forms that users' rows come in, one a file."""
