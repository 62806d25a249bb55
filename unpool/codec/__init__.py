"""Learned image compression: a bitstream, a file format and the networks behind them."""
