"""The restoration wing: bigger, cleaner, sharper pictures."""
