"""What a person should know beyond the verdict: one small check each, in a table.

A check returns None where it has nothing to say; it never reports health.
"""

from harness.core.verdict.evidence import Evidence
from harness.core.verdict.findings import causes, experiment, eyes, net, release
from harness.core.verdict.findings.scene import Check, Scene
from harness.core.verdict.harm import Harm
from harness.core.verdict.measure import Measures
from harness.core.verdict.types import SEVERITIES, Finding


def findings_of(evidence: Evidence, measures: Measures, harm: Harm) -> tuple[Finding, ...]:
    """All findings, errors first, in the order of the table otherwise."""
    scene = Scene(evidence, measures, harm)
    findings = [finding for check in CHECKS if (finding := check(scene))]
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


CHECKS: tuple[Check, ...] = (
    release.no_canary,
    release.alias_left_split,
    release.alias_contradicts,
    release.alias_lost_weights,
    release.alias_moved,
    release.alias_weight_forced,
    causes.traffic_bypasses_alias,
    experiment.no_traffic,
    experiment.not_steady,
    experiment.layers_not_played,
    experiment.otherwise_than_on_aws,
    net.alarm_already_on,
    net.alarm_no_data,
    net.alarm_metric_empty,
    net.alarm_not_evaluated,
    net.composite_not_weighed,
    net.alarm_gone,
    net.alarm_not_on_group,
    net.deployment_overrides_alarms,
    net.no_rollback_configured,
    release.hook_failed,
    release.deployment_refused,
    net.alarm_on_other_version,
    net.late_fault,
    net.thin_traffic,
    causes.rate_alarm_moved_by_few,
    net.alarm_covers_all_versions,
    experiment.forced_alarm,
    experiment.fault_succeeded,
    experiment.fault_without_effect,
    causes.canary_always_fails,
    experiment.canary_slower,
    experiment.slow_spell,
    experiment.not_counted,
    causes.uncounted_failures,
    experiment.collateral,
    experiment.unanswered,
    experiment.share_not_met,
    experiment.schedule_late,
    experiment.requests_lost,
    experiment.requests_not_recorded,
    experiment.whose_unclear,
    experiment.requests_odd,
    experiment.requests_folded,
    experiment.compared_in_part,
    release.superseded,
    eyes.permission_missing,
    eyes.credentials_refused,
    eyes.clock_skew,
    eyes.looks_failed,
    eyes.trouble,
)
