"""`msaformer view`: look at a prediction, without naming a file to write."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from msaformer.cli.messages import ALL_FAILED
from msaformer.cli.page_flags import PageFlags, page_flags
from msaformer.cli.report import PAGE_SUFFIXES, write_folder

if TYPE_CHECKING:
    from msaformer.report.sources import PageSource

_SSH: Final = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")


@click.command("view", short_help="Open predictions in the browser.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@page_flags
@click.option("--no-open", is_flag=True, default=None, help="Print the address, and leave the browser alone.")
@click.option(
    "--serve",
    is_flag=True,
    default=None,
    help="Serve the page on 127.0.0.1 until Ctrl-C, to this machine alone, instead of opening its file.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), metavar="P", help="Of --serve; a free one if left out."
)
def command(
    paths: tuple[Path, ...], no_open: bool | None, serve: bool | None, port: int | None, **flags: Any
) -> int | None:
    """Show predictions: PATH is a prediction (.npz), a folder of them, or a page or folder that `report` wrote.

    The page of a prediction is written to the cache ($XDG_CACHE_HOME/msaformer/pages), which keeps the 20 newest; its
    path is printed and the browser opens it. Over SSH and without a display you are told how to see it instead. A
    browser in a sandbox (snap, flatpak) may not read the cache's hidden folder: use --serve, or `msaformer report`.
    """
    given = PageFlags(**flags)
    if port is not None and not serve:
        raise click.UsageError("--port is that of --serve; give --serve too")
    page, code = find_page(paths, given)
    if code == ALL_FAILED:
        return code
    if serve:
        serve_page(page, port or 0, is_opened=not no_open)
        return code
    click.echo(str(page))
    if not no_open:
        open_or_tell(page.resolve().as_uri(), how_to_see(os.environ, str(page)))
    return code


def find_page(paths: tuple[Path, ...], flags: PageFlags) -> tuple[Path, int]:
    """The page to show, written where there is none yet, and the exit code of its writing."""
    from msaformer.report.programs import INDEX
    from msaformer.report.sources import find_predictions

    first = paths[0]
    if first.suffix.lower() in PAGE_SUFFIXES or (first / INDEX).is_file():
        page = first / INDEX if first.is_dir() else first
        if len(paths) > 1 or flags != PageFlags():
            raise click.UsageError(
                f"{first} is written already: it takes no other path and no flag of its parts"
            )
        if not page.is_file():
            raise click.UsageError(f"{page}: no such file; write it with `msaformer report`")
        return page, 0
    return cached_page(flags.sources(find_predictions(paths)))


def cached_page(sources: list[PageSource]) -> tuple[Path, int]:
    """The page of one prediction or the table of several, in the cache."""
    from msaformer.cli.page_cache import cache_folder, cached_name, prune
    from msaformer.report.programs import INDEX
    from msaformer.report.sources import write_page

    folder = cache_folder(os.environ)
    name = sources[0].name if len(sources) == 1 else f"{len(sources)}-predictions"
    parts: list[str | Path] = []
    for source in sources:
        parts += [source.chain or "", *source.files]
    stem = cached_name(name, parts)
    if len(sources) == 1:
        kept = page = folder / f"{stem}.html"
        write_page(sources[0], page)
        code = 0
    else:
        kept = folder / stem
        page = kept / INDEX
        code = write_folder(sources, kept, is_shared=True)
    os.utime(kept)
    prune(folder)
    return page, code


def how_to_see(environment: Mapping[str, str], path: str) -> str | None:
    """What to do where no browser can be opened, or None where one can."""
    copy = f"copy {path} to your machine, or serve it here (--serve) and forward the port"
    if any(environment.get(name) for name in _SSH):
        return f"over SSH no browser is opened: {copy} (ssh -L)"
    has_display = any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    if sys.platform != "darwin" and not has_display:
        return f"there is no display, so no browser is opened: {copy} (ssh -L)"
    return None


def open_or_tell(address: str, hint: str | None) -> None:
    """Open the browser, or say on stderr why not and what to do."""
    if hint is None and not webbrowser.open(address):
        hint = "no browser was found; open this address in one"
    if hint is not None:
        click.echo(f"hint: {hint}", err=True)


def serve_page(page: Path, port: int, *, is_opened: bool) -> None:
    """Serve a page, and the others of its folder when it is their table, until Ctrl-C."""
    from msaformer.report.programs import INDEX
    from msaformer.report.server import PageServer

    is_table = page.name == INDEX
    try:
        server = PageServer(page.parent, port, only_page=None if is_table else page.name)
    except OSError as error:
        raise click.ClickException(
            f"port {port} of 127.0.0.1 cannot be used: {(error.strerror or str(error)).lower()}; "
            "give another --port, or none"
        ) from error
    with server:
        address = server.url(page.name)
        click.echo(address)
        click.echo("hint: Ctrl-C ends it", err=True)
        if is_opened:
            hint = how_to_see(os.environ, str(page))
            forward = f"ssh -L {server.server_port}:127.0.0.1:{server.server_port} HOST"
            open_or_tell(address, hint and f"on your machine, run {forward}, then open the address there")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("ended", err=True)
