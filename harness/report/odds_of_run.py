"""The chances of the next release, drawn from what a run recorded: for its page, where somebody asks for them."""

from markupsafe import Markup
from msgspec import Struct

from harness.core.arming.of_runs import reckoned_of
from harness.core.arming.snapshot import Unseen
from harness.core.odds.asked import question_of
from harness.core.odds.curve import detection_curve, roll_back_bins, share_curve
from harness.report.drawing import svg
from harness.report.judged_run import JudgedRun
from harness.report.odds_chart import odds_chart


class DrawnOdds(Struct, frozen=True):
    """A picture as SVG, what it is of, and what it takes for granted; without a picture, why there is none."""

    of: str
    assumed: tuple[str, ...] = ()
    picture: Markup | None = None


def odds_of(run: JudgedRun) -> DrawnOdds:
    """The chances with the traffic, alarms and failures of a run."""
    try:
        known = reckoned_of([(run.evidence, run.events)])
    except Unseen as reason:
        return DrawnOdds(f"Nothing can be reckoned: {reason}.")
    setting = known.setting
    points = [*detection_curve(setting)]
    if not points:
        return DrawnOdds("Nothing can be reckoned without traffic.")
    now, times = max(rate for _, rate in setting.rate), roll_back_bins(setting)
    spec = odds_chart(points, share_curve(setting), times, now=now, title="")
    # What Vega draws has every text escaped.
    drawn = Markup(_with_own_ids(svg(spec, background="transparent")))  # noqa: S704
    return DrawnOdds(f"Reckoned from this run: {question_of(setting)}.", known.assumed, drawn)


def _with_own_ids(drawn: str) -> str:
    """The picture with ids of its own: those of the chart on the same page would clip it otherwise."""
    return drawn.replace('id="clip', 'id="odds-clip').replace("url(#clip", "url(#odds-clip")
