"""A little mail server that keeps every message it is given."""

import socketserver
import threading
from email import message_from_string
from email.message import Message


class Mailbox:
    """Speaks as much SMTP as a sender needs, on a port of its own."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        mailbox = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self._say("220 here")
                for line in self.rfile:
                    if line.upper().startswith(b"DATA"):
                        self._say("354 go on")
                        mailbox.messages.append(message_from_string(self._text()))
                    self._say("221 bye" if line.upper().startswith(b"QUIT") else "250 yes")

            def _text(self) -> str:
                lines = []
                while (line := self.rfile.readline()) != b".\r\n":
                    lines.append(line.decode())
                return "".join(lines)

            def _say(self, words: str) -> None:
                self.wfile.write(f"{words}\r\n".encode())

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Its address, as a notification takes it."""
        port = self._server.server_address[1]
        return f"mailto://127.0.0.1:{port}/?from=stemma@example.org&to=team@example.org&mode=insecure"

    def stop(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()
