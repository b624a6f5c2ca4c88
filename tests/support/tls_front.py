"""Speaks TLS for a server that does not.

    python tests/support/tls_front.py CERT KEY PORT

Takes connections on a free port of this machine, whose number it prints, and passes what comes on to PORT in the clear. It ends with stdin.
"""

import socket
import ssl
import sys
import threading

from tls_relay import relay


def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server = socket.create_server(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
    threading.Thread(target=accept, args=(server, context), daemon=True).start()
    sys.stdin.buffer.read()


def accept(server: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        client, _ = server.accept()
        threading.Thread(target=serve, args=(client, context), daemon=True).start()


def serve(client: socket.socket, context: ssl.SSLContext) -> None:
    with socket.create_connection(("127.0.0.1", int(sys.argv[3]))) as server:
        relay(client, context, server)


main()
