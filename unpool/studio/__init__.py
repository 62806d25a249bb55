"""A door for people: a web page that talks to the service."""
