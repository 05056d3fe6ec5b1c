"""Operations on function URLs; the gateway answers at them under `*.localhost`."""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from msgspec import Struct

from harness.rehearsal.functions import answers
from harness.rehearsal.functions.names import LATEST, FunctionName, invalid_value
from harness.rehearsal.functions.registry import Registry
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal

_SETTINGS = ("AuthType", "Cors", "InvokeMode")
_ALIAS_PATTERN = r"((?!^\d+$)^[0-9a-zA-Z-_]+$)"


class UrlTarget(Struct, frozen=True):
    """What a function URL runs, whether it wants a signature, and what it allows pages of other origins."""

    name: FunctionName
    signed: bool
    cors: Mapping[str, Any]


class UrlOperations(Registry):
    """Function URLs, operation by operation: one for $LATEST and one for each alias.

    `urls_port` is where they are answered; without it they have AWS's form, and nothing listens.
    """

    urls_port: int | None = None

    def url_target(self, url_id: str) -> UrlTarget | None:
        """What the URL whose name begins with this id runs; None where there is none."""
        for function in list(self._functions.values()):
            for qualifier, known in list(function.urls.items()):
                if known["FunctionUrl"].split("//")[1].startswith(f"{url_id}."):
                    name = FunctionName(function.name, qualifier or None)
                    return UrlTarget(name, known["AuthType"] == "AWS_IAM", known.get("Cors") or {})
        return None

    @operation
    def create_function_url_config(self, params: Params) -> Answer:
        """CreateFunctionUrlConfig."""
        name = self._url_of(params)
        function, arn = self._function(name), self._address.arn(name.name, name.qualifier)
        if name.qualifier and name.qualifier not in function.aliases:
            raise self._not_found(name.name, name.qualifier)
        if (name.qualifier or "") in function.urls:
            reason = "FunctionUrlConfig exists for this Lambda function"
            message = f"Failed to create function url config for [functionArn = {arn}]. Error message:  {reason}"
            raise Refusal("ResourceConflictException", message)
        made = {
            "FunctionUrl": self._new_url(arn),
            "FunctionArn": arn,
            "AuthType": params["AuthType"],
            "CreationTime": answers.instant(self._now()),
            "InvokeMode": params.get("InvokeMode") or "BUFFERED",
            **({"Cors": params["Cors"]} if params.get("Cors") else {}),
        }
        function.urls[name.qualifier or ""] = {**made, "LastModifiedTime": made["CreationTime"]}
        return made

    @operation
    def get_function_url_config(self, params: Params) -> Answer:
        """GetFunctionUrlConfig."""
        return self._known_url(self._url_of(params))

    @operation
    def update_function_url_config(self, params: Params) -> Answer:
        """UpdateFunctionUrlConfig: what is not given stays."""
        known = self._known_url(self._url_of(params))
        known.update({setting: params[setting] for setting in _SETTINGS if setting in params})
        known["LastModifiedTime"] = answers.instant(self._now())
        return known

    @operation
    def delete_function_url_config(self, params: Params) -> Answer:
        """DeleteFunctionUrlConfig."""
        name = self._url_of(params)
        self._known_url(name)
        del self._function(name).urls[name.qualifier or ""]
        return {}

    @operation
    def list_function_url_configs(self, params: Params) -> Answer:
        """ListFunctionUrlConfigs."""
        return answers.page("FunctionUrlConfigs", list(self._function(self._asked(params)).urls.values()), params)

    def _new_url(self, arn: str) -> str:
        domain = f"{sha256(arn.encode()).hexdigest()[:32]}.lambda-url.{self._address.region}"
        return f"http://{domain}.localhost:{self.urls_port}/" if self.urls_port else f"https://{domain}.on.aws/"

    def _known_url(self, name: FunctionName) -> Answer:
        function = self._functions.get(name.name)
        if function is None or (name.qualifier or "") not in function.urls:
            raise Refusal("ResourceNotFoundException", "The resource you requested does not exist.")
        return function.urls[name.qualifier or ""]

    def _url_of(self, params: Params) -> FunctionName:
        """The function or alias that a URL is asked of: a version has none."""
        qualifier = params.get("Qualifier")
        if qualifier and (qualifier == LATEST or not re.fullmatch(_ALIAS_PATTERN, qualifier)):
            constraint = f"Member must satisfy regular expression pattern: {_ALIAS_PATTERN}"
            raise invalid_value(qualifier, "qualifier", constraint)
        return self._asked(params)
