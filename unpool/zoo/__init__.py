"""The weights we ship: one record each, loading, measuring, export."""
