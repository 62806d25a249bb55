"""Find, restore and recognise a face, even in a poor picture."""
