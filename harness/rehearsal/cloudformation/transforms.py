"""The transforms of a template, in their order: AWS SAM by its own translator, and the language extensions."""

import json
import logging
from types import SimpleNamespace
from typing import Any

from harness.errors import TemplateError
from harness.rehearsal.cloudformation.extensions import extended
from harness.rehearsal.cloudformation.template import StackTemplate, as_sent, read_template
from harness.templates.resolver import EXTENSIONS, SAM, transforms_of
from harness.templates.values import Value

_POLICY = "arn:aws:iam::aws:policy/"
_IN_SERVICE_ROLE = ("AWSLambda", "AWSCodeDeploy", "AmazonAPIGateway", "AWSDeepRacer", "AmazonDMS")


# It tells of its own metrics, which are of no use here.
logging.getLogger("samtranslator").setLevel(logging.CRITICAL)


class _ManagedPolicies(dict[str, str]):
    """The ARN of every managed policy by its name: nobody looks whether there is one of that name."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and not name.startswith("arn:")

    def __missing__(self, name: str) -> str:
        path = "service-role/" if name.startswith(_IN_SERVICE_ROLE) else ""
        return f"{_POLICY}{path}{name}"

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401 - any name is in it


class TransformFailed(Exception):
    """A transform refused the template; the message is the reason that a change set gets."""


def transformed(text: str, parameters: dict[str, str], region: str) -> StackTemplate:
    """The template of a stack from the text that was sent. Raises Refusal, and TransformFailed for SAM's own."""
    values = read_template(text)
    asked = transforms_of(values)
    for name in asked:
        if name not in (SAM, EXTENSIONS):
            raise TransformFailed(f"No transform named {name} found in this local cloud.")
        values = _extended(values, parameters) if name == EXTENSIONS else _by_sam(values, parameters, region)
    return StackTemplate(text, values)


def _extended(values: Value, parameters: dict[str, str]) -> Value:
    try:
        return extended(values, parameters)
    except TemplateError as error:
        raise TransformFailed(f"Transform {EXTENSIONS} failed with: {error}") from error


def _by_sam(values: Value, parameters: dict[str, str], region: str) -> Value:
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    in_region = SimpleNamespace(region_name=region)
    try:
        made = Translator(_ManagedPolicies(), Parser(), boto_session=in_region).translate(as_sent(values), parameters)
    except InvalidDocumentException as error:
        causes = " ".join(cause.message for cause in error.causes)
        raise TransformFailed(
            f"Transform {SAM} failed with: Invalid Serverless Application Specification document. "
            f"Number of errors found: {len(error.causes)}. {causes}"
        ) from error
    made.pop("Transform", None)
    return read_template(json.dumps(made))


def check_capabilities(template: StackTemplate, given: tuple[str, ...]) -> str | None:
    """The capabilities that a template needs and that were not given, in AWS's sentence; None where none is missing."""
    needed = needed_capabilities(template)
    named = "CAPABILITY_NAMED_IAM" in given
    enough = not needed or named or (needed == ["CAPABILITY_IAM"] and "CAPABILITY_IAM" in given)
    return None if enough else f"Requires capabilities : [{', '.join(needed)}]"


def needed_capabilities(template: StackTemplate) -> list[str]:
    """CAPABILITY_IAM or CAPABILITY_NAMED_IAM where the template makes roles and the like."""
    found = [one for one in template.section("Resources").values() if _kind(one).startswith("AWS::IAM::")]
    if not found:
        return []
    names = ("RoleName", "UserName", "GroupName", "ManagedPolicyName", "InstanceProfileName")
    named = any(properties.get(name) for one in found if (properties := one.get("Properties")) for name in names)
    return ["CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"]


def _kind(resource: Value) -> str:
    kind = resource.get("Type")
    return kind.text() if kind else ""
