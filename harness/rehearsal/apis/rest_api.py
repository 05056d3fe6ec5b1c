"""What the control plane knows of one REST API."""

import copy
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from harness.rehearsal.apis.shelf import Shelf, new_id
from harness.rehearsal.operations import Answer
from harness.rehearsal.refusal import Refusal


class DeployedApi(Struct, frozen=True, kw_only=True):
    """What an API was when it was deployed: resources with their methods, and the parts that these name by id."""

    resources: Sequence[Answer]
    authorizers: Mapping[str, Answer]
    validators: Mapping[str, Answer]
    models: Mapping[str, Answer]
    responses: Sequence[Answer]


@dataclass
class RestApi:
    """A REST API: `about` is what AWS says of it, `deployed` what each of its deployments was made of."""

    about: Answer
    rng: random.Random
    resources: Shelf = field(init=False)
    authorizers: Shelf = field(init=False)
    validators: Shelf = field(init=False)
    models: Shelf = field(init=False)
    responses: Shelf = field(init=False)
    deployments: Shelf = field(init=False)
    stages: Shelf = field(init=False)
    deployed: dict[str, DeployedApi] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.resources = Shelf("Resource", "id", self._id)
        self.authorizers = Shelf("Authorizer", "id", self._id)
        self.validators = Shelf("Request Validator", "id", self._id)
        self.models = Shelf("Model", "name")
        self.responses = Shelf("Gateway Response", "responseType")
        self.deployments = Shelf("Deployment", "id", self._id)
        self.stages = Shelf("Stage", "stageName")
        self.start_anew()

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.about["id"])

    def start_anew(self) -> None:
        """Forgets all but its stages and deployments, as an import that overwrites does."""
        for shelf in (self.resources, self.authorizers, self.validators, self.models, self.responses):
            shelf.clear()
        root = self.resources.put({"path": "/"})
        self.about["rootResourceId"] = root["id"]

    def resource_at(self, path: str) -> Answer:
        """The resource of a path, made with all above it where it is not there."""
        known = next((one for one in self.resources if one["path"] == path), None)
        if known:
            return known
        above, _, part = path.rpartition("/")
        return self.resources.put(child_of(self.resource_at(above or "/"), part))

    def method(self, resource_id: str, name: str) -> Answer:
        """A method of a resource; raises a Refusal where it is not there."""
        methods = self.resources.get(resource_id).get("resourceMethods", {})
        if name not in methods:
            raise Refusal("NotFoundException", "Invalid Method identifier specified")
        found: Answer = methods[name]
        return found

    def defined(self) -> DeployedApi:
        """What it is now, which later changes leave as it is."""
        return copy.deepcopy(
            DeployedApi(
                resources=[*self.resources],
                authorizers={one["id"]: one for one in self.authorizers},
                validators={one["id"]: one for one in self.validators},
                models={one["name"]: one for one in self.models},
                responses=[*self.responses],
            )
        )

    def _id(self) -> str:
        return new_id(self.rng)


def child_of(parent: Mapping[str, Any], part: str) -> Answer:
    """A resource below another."""
    return {"parentId": parent["id"], "pathPart": part, "path": f"{parent['path'].rstrip('/')}/{part}"}
