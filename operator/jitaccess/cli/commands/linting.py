"""Checking policies offline, before they are applied: in an editor, a hook, or the CI of a Git repository."""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from os.path import realpath
from pathlib import Path
from typing import Any

import click

from jitaccess import __version__
from jitaccess.cli.api.errors import ExitCode, UsageError
from jitaccess.cli.commands import options
from jitaccess.cli.terminal.output import as_json, note, say, styled
from jitaccess.lint.bundle import bundle
from jitaccess.lint.crds import kinds
from jitaccess.lint.documents import Reading, read
from jitaccess.lint.findings import Finding, Found, Level, Place
from jitaccess.lint.rules import RULES, findings
from jitaccess.lint.sarif import sarif

_SUFFIXES = (".yaml", ".yml", ".json")
# In a folder lies much that is nothing of ours, templates too that are no YAML at all; files that are named are always read.
_OURS = re.compile(r"jitaccess\.dev|rbac\.authorization\.k8s\.io|kind[\"']?:\s*[\"']?Namespace\b")
_STDIN = Path("-")
_LEVELS = [str(level) for level in reversed(Level)]
_STYLES = {Level.ERROR: "bold red", Level.WARNING: "yellow", Level.NOTE: "dim"}


@click.command(cls=options.Command, short_help="Check policies offline, for Git.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True), metavar="FILE...")
@click.option(
    "--fail-on",
    type=click.Choice(_LEVELS),
    default=str(Level.ERROR),
    show_default=True,
    help="The least level that makes the exit code 1.",
)
@click.option(
    "--ignore",
    multiple=True,
    type=click.Choice([rule.name for rule in RULES]),
    metavar="RULE",
    help="Leave this rule out; may be given more than once.",
)
@options.output("json", "sarif")
def lint(files: tuple[Path, ...], fail_on: str, ignore: tuple[str, ...], output: str | None) -> int:
    """Check policies in files, folders or standard input (-), without a cluster.

    It says what the API server would say (schema and CEL rules of the CRDs), what the operator would say, and what is
    easily overlooked. Roles and Namespaces in the files are used; everything else is left alone.

    Exit codes: 0 nothing at or above --fail-on, 1 something is, 2 a file cannot be read.
    """
    readings = list(_read(files))
    whole = bundle(readings, kinds())
    found = findings(whole, ignore)
    if output:
        form = sarif(found, __version__) if output == "sarif" else [_facts(each) for each in found]
        click.echo(as_json(form, indent=2))
    else:
        for each in found:
            _print(each)
    _summarise(found, len(whole.ours), len(readings))
    return ExitCode.ERROR if any(each.level >= Level[fail_on.upper()] for each in found) else ExitCode.DONE


def _read(paths: Sequence[Path]) -> Iterator[Reading]:
    """What is in these files, folders and standard input, each file once, though it is named twice or by its folder too."""
    found = {realpath(file): file for path in paths if path.is_dir() for file in _files(path)}
    named = {realpath(path): path for path in paths if not path.is_dir()}
    for real, file in (found | named).items():
        yield _reading(_bytes(file), str(file), only_ours=real not in named)


def _files(folder: Path) -> Iterator[Path]:
    """The YAML and JSON files of a folder and the folders in it, but for hidden ones."""
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.suffix in _SUFFIXES and not hidden and file.is_file():
            yield file


def _bytes(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == _STDIN else file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from None


def _reading(content: bytes, name: str, *, only_ours: bool = False) -> Reading:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Reading(broken=[] if only_ours else [Found(Place(name, line, 1), "is not UTF-8")])
    return Reading() if only_ours and not _OURS.search(text) else read(text, name)


def _print(finding: Finding) -> None:
    level = styled(f"{finding.level}: ", _STYLES[finding.level])
    say(f"{finding.found.place}: ", level, finding.found.message, styled(f" ({finding.rule})", "dim"))


def _facts(finding: Finding) -> Mapping[str, Any]:
    found = finding.found
    return {
        "file": found.place.file,
        "line": found.place.line,
        "column": found.place.column,
        "level": str(finding.level),
        "rule": finding.rule,
        "object": found.subject,
        "field": found.field,
        "message": found.message,
    }


def _summarise(found: Sequence[Finding], checked: int, files: int) -> None:
    if not checked:
        note("nothing of jitaccess.dev is in these files")
    counts = Counter(each.level for each in found)
    said = ", ".join(_counted(counts[level], str(level)) for level in reversed(Level) if counts[level])
    note(f"{_counted(checked, 'object')} in {_counted(files, 'file')}: {said or 'nothing found'}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
