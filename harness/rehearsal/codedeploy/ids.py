"""Ids that CodeDeploy makes up: of deployments, and UUIDs; the seed decides them."""

import random
import re
import string
import uuid
from collections.abc import Container

DEPLOYMENT_ID = re.compile(r"d-[A-Z0-9]{1,}")
"""Looser than what is given out, so that an id of another account is not there rather than not valid."""

_ALPHABET = string.ascii_uppercase + string.digits


def new_deployment_id(rng: random.Random, taken: Container[str]) -> str:
    """A new id such as d-J5KH1W91L."""
    while True:
        candidate = "d-" + "".join(rng.choices(_ALPHABET, k=9))
        if candidate not in taken:
            return candidate


def new_uuid(rng: random.Random) -> str:
    """A new UUID."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
