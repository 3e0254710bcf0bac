"""The command `msaformer`: a group whose commands are imported only when they are called.

Exit codes: 0 all done · 1 failed · 2 usage or configuration · 3 some inputs failed · 130 interrupted.
An expected error is one line on stderr, `error: …`; `--debug` shows where it was raised.
"""

from __future__ import annotations

import importlib
import io
import logging
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, TextIO

import click

from data_tools.errors import DataToolsError
from msaformer import __version__
from msaformer.cli.messages import INTERRUPTED, one_line, print_error
from msaformer.cli.progress import hidden
from msaformer.errors import ConfigError, MSAFormerError, PeerError

COMMANDS: Final = {
    "inspect": "Show depth, Neff, gaps and coverage of an alignment.",
    "convert": "Write an alignment in another format.",
    "filter": "Select sequences and columns of an alignment.",
    "search": "Search databases for homologues of queries.",
    "database": "Build and check search databases.",
    "label": "Map a structure onto a query: distances and a report.",
    "featurize": "Turn alignments (and structures) into an example store.",
    "plan": "Predict the memory of a run, and what fits.",
    "train": "Train a network on an example store.",
    "predict": "Predict contacts and distances from alignments.",
    "evaluate": "Score predictions against a structure.",
    "export": "Write predicted contacts for other programs.",
    "report": "Write predictions as HTML pages.",
    "view": "Open predictions in the browser.",
    "env": "Show the versions, programs and devices in use.",
}
"""Each is `command` in `msaformer/cli/<name>.py`; the text is its line in `msaformer --help`."""


@dataclass
class Settings:
    """What the group's own flags say, for `main`."""

    debug: bool = False


class LazyGroup(click.Group):
    """A group that knows the names of its commands and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"msaformer.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option("-v", "--verbose", count=True, help="Say more on stderr; -vv says all.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing on stderr but errors.")
@click.option(
    "--local_rank", "--local-rank", type=int, hidden=True, expose_value=False
)  # DeepSpeed's launcher
@click.version_option(__version__, "--version", message="%(prog)s %(version)s")
@click.pass_obj
def cli(settings: Settings, debug: bool, verbose: int, quiet: bool) -> None:
    """Residue contacts and distances from protein multiple sequence alignments."""
    settings.debug = debug
    chatty = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    _configure_logging(logging.ERROR if quiet else chatty)


def run_and_exit() -> NoReturn:
    """The console script: `main`, then the end of this process, in a way that suits one of several."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what Latin-1 lacks is written as \u221a, in JSON too
            stream.reconfigure(errors="backslashreplace")
    code = main()
    launch = sys.modules.get(
        "msaformer.parallel.launch"
    )  # loaded by those commands that may be one of several
    if launch is not None:
        launch.leave(code)
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; click itself ends quietly when the reader of stdout is gone."""
    settings = Settings()
    try:
        code = cli.main(
            args=None if arguments is None else list(arguments),
            prog_name="msaformer",
            standalone_mode=False,
            obj=settings,
        )
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _fail(_with_help_hint(error), error, settings, error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        return _fail("interrupted", error, settings, INTERRUPTED)
    except ConfigError as error:
        return _fail(str(error), error, settings, 2)
    except PeerError as error:
        return error.exit_code if error.is_told else _fail(str(error), error, settings, error.exit_code)
    except (DataToolsError, MSAFormerError) as error:
        return _fail(str(error), error, settings, 1)
    except OSError as error:
        return _fail(one_line(error), error, settings, 1)
    return code if isinstance(code, int) else 0


def _configure_logging(level: int) -> None:
    handler = _LogHandler()
    handler.setFormatter(_LowerCaseLevel("%(levelname)s: %(message)s"))
    for name in ("msaformer", "data_tools"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)


class _LogHandler(logging.StreamHandler[TextIO]):
    def emit(self, record: logging.LogRecord) -> None:
        with hidden():
            super().emit(record)


class _LowerCaseLevel(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"{record.levelname.lower()}: {one_line(record.getMessage())}"


def _with_help_hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    return error.format_message().rstrip(".") + hint


def _fail(message: str, error: BaseException, settings: Settings, code: int) -> int:
    if settings.debug:
        traceback.print_exception(error)
    print_error(message)
    return code
