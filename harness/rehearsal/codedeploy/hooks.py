"""Hooks: Lambda functions that validate a deployment. Each runs in a thread, because it calls the cloud back."""

import base64
import json
import logging
import random
import threading
from collections.abc import Callable

from msgspec import Struct

from harness.rehearsal.codedeploy.stages import DeploymentStage
from harness.rehearsal.functions.functions import Functions
from harness.rehearsal.functions.names import LATEST
from harness.rehearsal.refusal import Refusal

log = logging.getLogger(__name__)


class Execution(Struct, frozen=True, kw_only=True):
    """One run of the hook of a lifecycle event; `id` is opaque to the hook."""

    id: str
    deployment_id: str
    stage: DeploymentStage
    function: str

    @property
    def payload(self) -> bytes:
        """The event that the hook gets: exactly these two members."""
        return json.dumps({"DeploymentId": self.deployment_id, "LifecycleEventHookExecutionId": self.id}).encode()


def execution_id(rng: random.Random) -> str:
    """A new id, of the look that AWS's have."""
    secret = base64.b64encode(rng.randbytes(48)).decode()
    return base64.b64encode(json.dumps({"encryptedData": secret}).encode()).decode()


def qualified(name: str) -> tuple[str, str | None]:
    """The function and the qualifier in a name, `name:qualifier` or a full ARN."""
    _, _, tail = name.rpartition(":function:")
    function, _, qualifier = tail.partition(":")
    return function, qualifier or None


class HookRunner:
    """Runs hooks, each in a thread of its own.

    Only the report of a hook counts, not what its function returns, or that it crashed. `refused` is called when the
    function could not be run, and `returned` when its run is over, whether it reported or not.
    """

    def __init__(
        self,
        functions: Functions,
        refused: Callable[[Execution, Refusal], None],
        returned: Callable[[Execution], None],
    ) -> None:
        self._functions = functions
        self._refused, self._returned = refused, returned

    def launch(self, execution: Execution) -> None:
        """Starts the hook and returns at once."""
        name = f"hook-{execution.stage}-{execution.deployment_id}"
        threading.Thread(target=self._run, args=(execution,), name=name, daemon=True).start()

    def _run(self, execution: Execution) -> None:
        try:
            self._invoke(execution)
            self._returned(execution)
        except Refusal as refusal:
            self._refused(execution, refusal)
        except Exception:  # outermost frame of a thread: CodeDeploy waits for its hook as if it had not reported
            log.exception("the hook %s of %s was lost", execution.function, execution.deployment_id)

    def _invoke(self, execution: Execution) -> None:
        function, qualifier = qualified(execution.function)
        if qualifier is None or qualifier == LATEST or qualifier.isdigit():
            self._functions.run(function, qualifier or LATEST, execution.payload, alias=None)
            return
        version = self._functions.draw(function, qualifier)
        self._functions.run(function, version, execution.payload, alias=qualifier)
