"""Passes what comes over a TLS connection on to a server that does not speak TLS, and back."""

import select
import socket
import ssl


def relay(client: socket.socket, context: ssl.SSLContext, server: socket.socket) -> None:
    try:
        with context.wrap_socket(client, server_side=True) as encrypted:
            pump(encrypted, server)
    except OSError:
        # The client does not trust us, or is gone.
        client.close()


def pump(encrypted: ssl.SSLSocket, server: socket.socket) -> None:
    while True:
        ready = [encrypted] if encrypted.pending() else select.select([encrypted, server], [], [])[0]
        for source in ready:
            data = source.recv(1 << 16)
            if not data:
                return
            (server if source is encrypted else encrypted).sendall(data)
