"""Speaks TLS for a PostgreSQL server that does not.

    python tests/support/tls.py SOCKET

Takes connections on a free port of this machine, whose number it prints, and passes what comes on to the server's SOCKET in
the clear. It ends with stdin. The certificate beside this file is for `localhost` and signed by nobody else; its key is here for all
to see and protects nothing.
"""

import socket
import ssl
import sys
import threading
from pathlib import Path

from tls_relay import relay

HERE = Path(__file__).parent


def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HERE / "tls.pem", HERE / "tls.key")
    server = socket.create_server(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
    threading.Thread(target=accept, args=(server, context), daemon=True).start()
    sys.stdin.buffer.read()


def accept(server: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        client, _ = server.accept()
        threading.Thread(target=serve, args=(client, context), daemon=True).start()


def serve(client: socket.socket, context: ssl.SSLContext) -> None:
    # Eight bytes ask whether the server speaks TLS.
    if client.recv(8, socket.MSG_WAITALL)[4:] != b"\x04\xd2\x16\x2f":
        client.close()
        return
    client.sendall(b"S")
    with socket.socket(socket.AF_UNIX) as database:
        database.connect(sys.argv[1])
        relay(client, context, database)


main()
