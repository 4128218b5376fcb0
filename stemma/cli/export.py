"""`stemma export | verify-export`: a model and its whole story in a signed folder, and the check of such a folder."""

import argparse
from contextlib import suppress
from pathlib import Path

from stemma.cli.page import Commands, print_page
from stemma.lineage.git import find_project
from stemma.records.counting import counted


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    export = commands.add_parser("export", help="a model with its whole story, signed, in one folder")
    export.add_argument("model", metavar="MODEL", help="policy@champion, policy/7, a run, an experiment or a DVC id")
    export.add_argument(
        "--to", type=Path, required=True, metavar="DIR", help="a folder that is not there yet, or empty"
    )
    export.add_argument("--new-key", action="store_true", help="make a signing key first, where there is none")
    export.set_defaults(command=_export)

    verify = commands.add_parser("verify-export", help="check an exported folder, offline")
    verify.add_argument("folder", type=Path, metavar="DIR")
    verify.add_argument("--key", type=Path, metavar="PUB", help="the signer's public key; without it, the one in DIR")
    verify.set_defaults(command=_verify)


def _export(options: argparse.Namespace) -> int:
    from flows.settings import ProjectSettings, stage_values
    from stemma.export.export import export
    from stemma.export.folder import check_free
    from stemma.export.keys import new_key, signing_key
    from stemma.lineage.forgotten import FORGOTTEN
    from stemma.lineage.sharing import SilentRemoteError, take_over

    root = find_project(Path.cwd())
    check_free(options.to)
    with suppress(SilentRemoteError):
        take_over(root, FORGOTTEN)
    lines = [f"made a signing key: {new_key()}"] if options.new_key else []
    done = export(root, options.model, options.to, signing_key(), stage_values(ProjectSettings()))
    lines += [
        f"{done.title} ({done.artifact}) is in {options.to}: {counted(done.files, 'file')}, signed by key {done.key}",
        f"Check it anywhere: stemma verify-export {options.to} --key PUBLIC_KEY",
    ]
    return print_page("\n".join(lines))


def _verify(options: argparse.Namespace) -> int:
    from stemma.export.verify import verify_export

    found = verify_export(options.folder, options.key)
    if found.faults:
        print_page("\n".join([f"{options.folder} is not as it was signed:", *(f"  {fault}" for fault in found.faults)]))
        return 1
    lines = [f"{found.title} ({found.artifact}): {found.files} files are as key {found.key} signed them."]
    if options.key is None:
        lines.append(
            "The key came with the folder, so this proves that nothing changed since, not who signed it; "
            "--key with the signer's own public key proves that too."
        )
    return print_page("\n".join(lines))
