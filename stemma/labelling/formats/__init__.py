"""Import and export of labels in the formats of other tools."""
