"""First floor: one training loop for every wing, on Lightning Fabric."""
