"""What a template says of a release, read without AWS, and the doctor's questions that it can answer."""

from harness.templates.examine import TemplateDiagnosis, examine_template, snapshots_of
from harness.templates.reading import read_release
from harness.templates.release import TemplateRelease

__all__ = ["TemplateDiagnosis", "TemplateRelease", "examine_template", "read_release", "snapshots_of"]
