"""The command `canary-harness judge`: judges the timeline of a run again."""

import argparse
from pathlib import Path


def add_judge_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder, such as reports/latest")
    printed = parser.add_mutually_exclusive_group()
    printed.add_argument("--json", action="store_true", help="print the verdict as JSON instead of the summary")
    printed.add_argument("-q", "--quiet", action="store_true", help="print only the verdict, and what is wrong")
    printed.add_argument("-v", "--verbose", action="store_true", help="print all tables")
    parser.add_argument("--picture", type=Path, metavar="FILE.svg", help="save the summary as an SVG picture, too")


def run_judge(options: argparse.Namespace) -> int:
    """Runs the command; the exit code is the verdict's. Raises HarnessError."""
    from harness.cli.report import saved
    from harness.cli.shared_options import printing_of
    from harness.report.folder import RunFolder
    from harness.report.judging import read
    from harness.report.printing import print_verdict

    folder = RunFolder.open(options.run)
    run = read(folder)
    verdict = run.verdict
    saved(folder, run)
    if options.picture:
        from harness.report.picture import picture

        options.picture.write_text(picture(verdict, folder.path), encoding="utf-8")
    print_verdict(printing_of(options), folder.path, verdict.exit_code, verdict)
    return verdict.exit_code
