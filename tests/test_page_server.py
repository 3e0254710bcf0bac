"""The server of `msaformer view --serve`: what it gives, to whom, and all that it refuses."""

from __future__ import annotations

import http.client
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from msaformer.report.server import HEADERS, PageServer


@contextmanager
def running(folder: Path, only_page: str | None = None) -> Iterator[PageServer]:
    with PageServer(folder, only_page=only_page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(
    server: PageServer, path: str, *, method: str = "GET", host: str | None = None
) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of one request; `path` stands after the secret, or alone with a leading slash."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    try:
        connection.putrequest(
            method, path if path.startswith("/") else f"/{server.secret}/{path}", skip_host=True
        )
        if host != "":
            connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.headers)
    finally:
        connection.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of pages, beside and in which lies what must not be served."""
    place = tmp_path / "pages"
    (place / "assets" / "deeper").mkdir(parents=True)
    (place / "index.html").write_text("table")
    (place / "π a%b.html").write_text("page")
    (place / "assets" / "report-0.js").write_text("program")
    for name in ("failures.tsv", "x.npz", ".hidden.html", "assets/deeper/x.js", "loose.js", "../secret.html"):
        (place / name).write_text("secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x.js").write_text("secret")
    (place / "link.html").symlink_to(tmp_path / "secret.html")
    (place / "linked").symlink_to(tmp_path / "outside")
    os.mkfifo(place / "pipe.html")
    (place / "folder.html").mkdir()
    return place


@pytest.fixture
def server(folder: Path) -> Iterator[PageServer]:
    with running(folder) as found:
        yield found


def test_pages_and_what_they_share_are_served_with_their_kind(server: PageServer) -> None:
    assert server.url("π a%b.html").endswith("/%CF%80%20a%25b.html")
    status, body, headers = ask(server, "%CF%80%20a%25b.html?x=1")
    assert (status, body, headers["Content-Type"]) == (200, b"page", "text/html; charset=utf-8")
    status, body, headers = ask(server, "assets/report-0.js")
    assert (status, body, headers["Content-Type"]) == (200, b"program", "text/javascript; charset=utf-8")


def test_head_tells_what_get_would_send(server: PageServer) -> None:
    status, body, headers = ask(server, "index.html", method="HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", "5")
    with socket.create_connection(
        ("127.0.0.1", server.server_port), timeout=10
    ) as raw:  # which hides no body
        raw.sendall(f"HEAD /{server.secret}/index.html HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        assert b"".join(iter(lambda: raw.recv(4096), b"")).endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "/",
            "/index.html",
            "nothing.html",
            "assets/",
            "assets",
            "failures.tsv",
            "x.npz",
            ".hidden.html",
        ),
        *(
            "../secret.html",
            "..%2Fsecret.html",
            "%2e%2e/secret.html",
            "assets/../../secret.html",
            "..\\secret.html",
        ),
        *(
            "assets/%2e%2e/index.html",
            "assets//report-0.js",
            "/%2e%2e/secret.html",
            "//etc/passwd",
            "index.html%00.js",
        ),
        *(
            "link.html",
            "linked/x.js",
            "assets/deeper/x.js",
            "pipe.html",
            "folder.html",
            "loose.js",
            "a" * 5000 + ".html",
        ),
        *("index.html/", "a" * 5000 + ".html"),
    ],
)
def test_nothing_else_is_there(server: PageServer, path: str) -> None:
    status, body, _ = ask(server, path)
    assert status == 404
    assert b"secret" not in body


def test_a_shared_file_that_is_a_link_is_not_followed(server: PageServer, folder: Path) -> None:
    (folder / "assets" / "link.js").symlink_to(folder.parent / "outside" / "x.js")
    assert ask(server, "assets/link.js")[0] == 404
    (folder / "assets").rename(folder / "moved")
    (folder / "assets").symlink_to(folder / "moved")
    assert ask(server, "assets/report-0.js")[0] == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::1", "127.0.0.1@x"]
)
def test_a_name_that_is_not_this_machine_s_own_is_refused(server: PageServer, host: str) -> None:
    assert ask(server, "index.html", host=host)[0] == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9000", "LOCALHOST:9000"])
def test_the_port_may_be_a_forwarded_one(server: PageServer, host: str) -> None:
    assert ask(server, "index.html", host=host)[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_get_and_head_are_allowed(server: PageServer, folder: Path, method: str) -> None:
    assert ask(server, "index.html", method=method)[0] == 405
    assert (folder / "index.html").read_text() == "table"


@pytest.mark.parametrize("path", ["index.html", "nothing.html"])
def test_every_answer_carries_the_headers_of_caution(server: PageServer, path: str) -> None:
    headers = ask(server, path)[2]
    assert {name: headers.get(name) for name in HEADERS} == HEADERS
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Python" not in headers["Server"]


def test_another_secret_opens_nothing_and_two_servers_have_two(server: PageServer, folder: Path) -> None:
    with running(folder) as other:
        assert other.secret != server.secret
        assert len(other.secret) >= 20
        assert ask(server, f"/{other.secret}/index.html")[0] == 404


def test_one_page_is_served_without_its_neighbours(folder: Path) -> None:
    (folder / "other.html").write_text("other")
    with running(folder, only_page="other.html") as server:
        assert [ask(server, path)[0] for path in ("other.html", "assets/report-0.js")] == [200, 200]
        assert ask(server, "index.html")[0] == 404


def test_only_this_machine_s_loopback_address_answers(server: PageServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    with pytest.raises(OSError):  # noqa: PT011 - refused where 127/8 is loopback, no such address elsewhere
        socket.create_connection(("127.0.0.2", server.server_port), timeout=5)


def test_a_port_in_use_is_an_error(server: PageServer, folder: Path) -> None:
    with pytest.raises(OSError, match="in use"):
        PageServer(folder, server.server_port)
