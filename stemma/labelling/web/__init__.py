"""The page on which people label, and the one on which admins see how it goes."""
