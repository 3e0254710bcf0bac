"""Serve the pages of one folder to browsers of this machine, and to nobody else.

Bound to 127.0.0.1, so no other machine reaches it; a secret first part of every address keeps out the other users of
this machine; a foreign `Host` is refused, so no web site reaches it by a name that leads here (DNS rebinding). Only
GET and HEAD, only files of the kinds that pages are made of, no listing of folders, and no link is followed: each part
of a path is opened on its own, inside the folder opened before it.
"""

from __future__ import annotations

import http.server
import logging
import os
import re
import secrets
import shutil
import socketserver
import stat
import sys
import urllib.parse
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, Final

from msaformer.report.programs import ASSETS

ADDRESS: Final = "127.0.0.1"
HOST: Final = re.compile(
    r"(127\.0\.0\.1|localhost)(:\d+)?", re.IGNORECASE
)  # the port of `ssh -L` may be another
CONTENT_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
"""What is served; all else is not there."""
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    # each page has its own, stricter policy, which this adds to
    "Content-Security-Policy": "frame-ancestors 'none'; connect-src 'none'; form-action 'none'; base-uri 'none'",
}
_IDLE_S: Final = 30  # a connection that says nothing for so long is closed
_log = logging.getLogger(__name__)


class PageServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Serves `folder` on `port` of 127.0.0.1 (0: a free one).

    Raises OSError when the port is taken. Call `serve_forever`, and `server_close` at the end.
    """

    daemon_threads = True
    allow_reuse_port = False  # a port in use is an error, whatever the version of Python

    def __init__(self, folder: Path, port: int = 0, *, only_page: str | None = None) -> None:
        self.folder = folder
        self.only_page = only_page
        """Of the folder, this page and what it may share in `assets` are shown; None: all pages."""
        self.secret = secrets.token_urlsafe(16)
        super().__init__((ADDRESS, port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server for this machine's name, as HTTPServer does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, int(self.server_address[1])

    def url(self, page: str) -> str:
        """The address of a page of the folder."""
        return f"http://{ADDRESS}:{self.server_port}/{self.secret}/{urllib.parse.quote(page, safe='')}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that went away."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def open_file(self, target: str) -> tuple[BinaryIO, str] | None:
        """Open what a request asks for, and tell its content type; None when it is not there for them."""
        parts = [urllib.parse.unquote(part) for part in target.partition("?")[0].split("/")]
        if len(parts) < 3 or parts[0] or not secrets.compare_digest(parts[1].encode(), self.secret.encode()):
            return None
        parts = parts[2:]
        content_type = CONTENT_TYPES.get(os.path.splitext(parts[-1])[1])
        if content_type is None or not all(map(_is_plain, parts)) or not self._is_shown(parts):
            return None
        opened = _open_within(self.folder, parts)
        return None if opened is None else (opened, content_type)

    def _is_shown(self, parts: list[str]) -> bool:
        """Pages lie in the folder itself, what they share in its `assets`."""
        if len(parts) == 1:
            return parts[0].endswith(".html") and self.only_page in (None, parts[0])
        return parts[:-1] == [ASSETS]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: PageServer
    server_version = "msaformer"
    sys_version = ""
    timeout = _IDLE_S
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = "text/plain; charset=utf-8"

    def do_GET(self) -> None:
        """Send a file."""
        self._send(with_body=True)

    def do_HEAD(self) -> None:
        """Send what a GET would, without the file."""
        self._send(with_body=False)

    def _refuse(self) -> None:
        self.send_error(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET and HEAD")

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse  # noqa: N815 - http.server's names

    def _send(self, *, with_body: bool) -> None:
        if not HOST.fullmatch(self.headers.get("Host", "")):
            self.send_error(HTTPStatus.FORBIDDEN, "This server answers to 127.0.0.1 and localhost only")
            return
        found = self.server.open_file(self.path)
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        file, content_type = found
        with file:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size))
            self.end_headers()
            if with_body:
                shutil.copyfileobj(file, self.wfile)

    def end_headers(self) -> None:
        """Add what every answer carries."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say what was asked for with `-vv` only; the text is that of a client."""
        _log.debug("%s", (format % args).replace(self.server.secret, "…"))


def _is_plain(part: str) -> bool:
    return bool(part) and not part.startswith(".") and not set(part) & set("/\\\0")


def _open_within(folder: Path, parts: list[str]) -> BinaryIO | None:
    """Open a file below `folder`, following no link on the way; None when there is no such regular file."""
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            deeper = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = deeper
        # without O_NONBLOCK a named pipe would hold the thread for ever
        descriptor = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
    except OSError:
        return None
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")
