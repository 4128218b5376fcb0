"""Models as other programs load them by path: their files, checked and copied, and whether they can be loaded."""
