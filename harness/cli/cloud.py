"""The command `canary-harness cloud`: serves the local cloud alone."""

import argparse
import gc
from functools import partial
from pathlib import Path

from harness.cli.cloud_environment import begin
from harness.cli.shared_options import add_version_header
from harness.cli.words import REHEARSAL_SPEED, for_rehearsal, port, speed, whole
from harness.processes import check_locustfile


def add_cloud_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("--experiment", metavar="NAME|FILE", help="what to set up; default: the bundled service")
    text = f"experiment seconds in a second; default: {REHEARSAL_SPEED:g}, 1 is as slow as AWS"
    parser.add_argument("--speed", type=speed, default=REHEARSAL_SPEED, metavar="N", help=text)
    parser.add_argument("--seed", type=whole, help="instead of the seed of the experiment")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind; default: loopback only")
    parser.add_argument("--port", type=port, default=0, help="port of the AWS endpoint; default: any free one")
    text = "port of the service behind the gateway; default: any free one"
    parser.add_argument("--service-port", type=port, default=0, metavar="PORT", help=text)
    add_version_header(parser)
    text = "your own locustfile, on Locust's web page beside it: you say there how many users send, and watch"
    parser.add_argument("-f", "--locustfile", metavar="FILE", help=text)
    text = 'start it in the background, and print what a shell needs: eval "$(canary-harness cloud --env)"'
    parser.add_argument("--env", action="store_true", help=text)
    parser.add_argument(
        "--log", metavar="FILE", type=Path, help="a file that goes when the cloud ends, such as its log"
    )
    parser.add_argument("--with-parent", action="store_true", help="end when the process that started it is gone")


def run_cloud(options: argparse.Namespace) -> int:
    """Serves until a signal comes, or in the background; the exit code. Raises HarnessError."""
    if options.env:
        return begin(_again(options))
    experiment = for_rehearsal(options.experiment, {"seed": options.seed}) if options.experiment else None
    check_locustfile(options.locustfile)
    # What is loaded stays: to look for garbage in it, now and later, would only take time.
    gc.disable()
    from harness.rehearsal.beside import locust_page
    from harness.rehearsal.cloud import serve

    gc.freeze()
    gc.enable()
    ended = serve(
        experiment,
        speed=options.speed,
        seed=experiment.seed if experiment else options.seed or 1,
        host=options.host,
        port=options.port,
        service_port=options.service_port,
        version_header=options.version_header,
        with_parent=options.with_parent,
        beside=partial(locust_page, options.locustfile) if options.locustfile else None,
    )
    if options.log:
        options.log.unlink(missing_ok=True)
    return ended


def _again(options: argparse.Namespace) -> list[str]:
    """The options of the command that serves."""
    given = {
        "--experiment": options.experiment,
        "--speed": options.speed,
        "--seed": options.seed,
        "--host": options.host,
        "--port": options.port,
        "--service-port": options.service_port,
        "--version-header": options.version_header,
        "--locustfile": options.locustfile,
    }
    return [word for name, value in given.items() if value is not None for word in (name, str(value))]
