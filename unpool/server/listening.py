"""The address a server listens on, taken before anything else is made."""

import socket

from unpool.errors import UnpoolError


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on a host's port; port 0 takes a free one.

    Raises:
        UnpoolError: the port is in use, or the address is not this machine's.
    """
    listening = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        if listening is not None:
            listening.close()
        raise UnpoolError(
            f"port {port} of {host} cannot be used ({error.strerror}): give another --port, or this machine's address"
        ) from None
    return listening
