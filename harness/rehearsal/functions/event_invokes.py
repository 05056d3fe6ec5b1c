"""Operations on what becomes of asynchronous invocations. Retries are honoured; ages and destinations are kept."""

from collections.abc import Mapping
from typing import Any

from harness.rehearsal.functions import answers
from harness.rehearsal.functions.names import LATEST, FunctionName
from harness.rehearsal.functions.registry import Registry
from harness.rehearsal.functions.settings import check_pattern, check_range, invalid
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal

MOST_RETRIES = 2
_ARN = r"$|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:([a-z]{2}(-gov)?-[a-z]+-\d{1})?:(\d{12})?:(.*)"
_DESTINATIONS = {"OnSuccess": ("lambda", "sns", "sqs", "events"), "OnFailure": ("lambda", "sns", "sqs", "events", "s3")}
"""The services that take events, by how the run ended (Lambda developer guide, "Adding a destination")."""
_RANGES = {"MaximumRetryAttempts": (0, MOST_RETRIES), "MaximumEventAgeInSeconds": (60, 21_600)}


class EventInvokeOperations(Registry):
    """The configuration of asynchronous invocations, operation by operation; each version and alias has its own."""

    @operation
    def put_function_event_invoke_config(self, params: Params) -> Answer:
        """PutFunctionEventInvokeConfig: replaces all that was set."""
        return self._set_event_invokes(params, {"DestinationConfig": {"OnSuccess": {}, "OnFailure": {}}})

    @operation
    def update_function_event_invoke_config(self, params: Params) -> Answer:
        """UpdateFunctionEventInvokeConfig: what is not given stays."""
        return self._set_event_invokes(params, self._event_invokes(self._asked(params)))

    @operation
    def get_function_event_invoke_config(self, params: Params) -> Answer:
        """GetFunctionEventInvokeConfig."""
        return self._event_invokes(self._asked(params))

    @operation
    def delete_function_event_invoke_config(self, params: Params) -> Answer:
        """DeleteFunctionEventInvokeConfig."""
        name = self._asked(params)
        self._event_invokes(name)
        del self._function(name).event_invokes[name.qualifier or LATEST]
        return {}

    @operation
    def list_function_event_invoke_configs(self, params: Params) -> Answer:
        """ListFunctionEventInvokeConfigs."""
        known = self._function(self._asked(params)).event_invokes
        return answers.page("FunctionEventInvokeConfigs", list(known.values()), params)

    def _retries(self, name: FunctionName) -> int:
        """How often a failed asynchronous invocation of a function, version or alias is tried again."""
        known = self._function(name).event_invokes.get(name.qualifier or LATEST, {})
        return int(known.get("MaximumRetryAttempts", MOST_RETRIES))

    def _set_event_invokes(self, params: Params, known: Answer) -> Answer:
        name = self._asked(params)
        self._configuration(name)
        given = {
            setting: params[setting] for setting in (*_RANGES, "DestinationConfig") if params.get(setting) is not None
        }
        if not given:
            raise invalid("You must specify at least one of error handling or destination setting.")
        for setting, (low, high) in _RANGES.items():
            check_range(setting, given.get(setting), low, high)
        self._check_destinations(name, given.get("DestinationConfig") or {})
        qualifier = name.qualifier or LATEST
        fixed = {"FunctionArn": self._address.arn(name.name, qualifier), "LastModified": self._now()}
        configured = {**known, **given, **fixed}
        self._function(name).event_invokes[qualifier] = configured
        return configured

    def _check_destinations(self, name: FunctionName, config: Mapping[str, Any]) -> None:
        """Refuses what no event can be sent to: not an ARN, another service, the function itself, or one not there."""
        given = {end: (config.get(end) or {}).get("Destination") for end in ("OnSuccess", "OnFailure")}
        for end, arn in given.items():
            if not arn:
                continue
            check_pattern(f"DestinationConfig.{end[0].lower()}{end[1:]}.destination", arn, _ARN)
            service = arn.split(":")[2]
            if service not in _DESTINATIONS[end]:
                ends = ", ".join(_told(key, value) for key, value in given.items())
                raise invalid(f"The provided destination config DestinationConfig({ends}) is invalid.")
            if service == "lambda":
                self._check_other_function(name, arn)

    def _check_other_function(self, name: FunctionName, arn: str) -> None:
        other = self._address.parse(arn).name
        if other == name.name:
            raise invalid("You can't specify the function as a destination for itself.")
        if other not in self._functions:
            raise invalid(f"The destination ARN {arn} is invalid.")

    def _event_invokes(self, name: FunctionName) -> Answer:
        function, qualifier = self._functions.get(name.name), name.qualifier or LATEST
        if function is None or qualifier not in function.event_invokes:
            arn = self._address.arn(name.name, qualifier)
            raise Refusal("ResourceNotFoundException", f"The function {arn} doesn't have an EventInvokeConfig")
        return function.event_invokes[qualifier]


def _told(end: str, arn: str | None) -> str:
    """One end of a destination configuration as AWS's messages write it."""
    return f"{end[0].lower()}{end[1:]}={f'{end}(destination={arn})' if arn else 'null'}"
