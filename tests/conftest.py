"""What all tests share: the local cloud and a browser as fixtures."""

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.loaders
import botocore.session
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest_plugins = ["harness.rehearsal.fixtures"]

# How long an example takes says more of the machine than of the code. In CI the same examples are tried every time, so
# that a change and not chance turns it red.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

# A session of botocore reads AWS's models anew, which takes it longer than most tests; they are the same for all.
botocore.session.create_loader = cache(botocore.loaders.create_loader)

# A shell has what it starts in the background, or by nohup, ignore these, and so would all that tests start and stop.
for _number, _heard in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _heard)

CHROMIUM = "/usr/bin/chromium"
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--sample N` plays N tests of each module, other ones after each commit."""
    parser.addoption("--sample", type=int, metavar="N", help="only N tests of each module, drawn by the commit")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Draws the sample; the same commit draws the same tests, in every process of pytest-xdist, too."""
    most = config.getoption("--sample")
    if most is None:
        return
    drawn = [item for _, of_module in groupby(items, key=lambda item: item.path) for item in _drawn([*of_module], most)]
    config.hook.pytest_deselected(items=[item for item in items if item not in drawn])
    items[:] = drawn


def _drawn(items: list[pytest.Item], most: int) -> list[pytest.Item]:
    chance = random.Random(_commit() + items[0].path.name)
    return chance.sample(items, min(most, len(items)))


@cache
def _commit() -> str:
    told = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True)
    return told.stdout


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """A command that a test calls in this process hears signals as long as it would live, which is to the end."""
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for signum, heard in before.items():
        if signal.getsignal(signum) != heard:
            signal.signal(signum, heard)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """The machine's own Chromium, without a window; never one that is downloaded. CI must have it."""
    chromium = CHROMIUM if Path(CHROMIUM).exists() else shutil.which("chromium")
    if chromium is None:
        reason = "no Chromium on this machine: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: "Browser") -> "Iterator[Page]":
    """A fresh page in a profile of its own."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()
