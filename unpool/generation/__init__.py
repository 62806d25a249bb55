"""Deconvolutional generators of pictures and sounds, trained against a critic, and measured."""
