"""How a secret is told from other text: by the name that it stands under, and by its own shape."""

import re

_KINDS_OF_KEY = "api|app|private|access|account|client|shared|master|encryption|signing|license|service|storage|ssh"
SECRET_NAME = re.compile(
    r"pass|pas+w(or)?d|pwd|secret|token|credential|auth(?!or\b|or[_-])|bearer|^basic$|cookie|signature|jwt|webhook|dsn$|(^|[_-])(pin|otp|pw|sig|pat|sas|creds)$"
    rf"|connection[_-]?str|sess(ion)?[_-]?id|({_KINDS_OF_KEY})[_-]?key",
    re.IGNORECASE,
)
"""Found in names of options, variables, settings, headers and fields whose value is a secret."""
SECRET_SHAPE = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bxox[abeprs]-[\w-]{10,}"
    r"|\b[rsp]k_(?:live|test)_\w{8,}|\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?|\bglpat-[\w-]{16,}|\bnpm_\w{30,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
"""Found in text: keys of AWS, GitHub, GitLab, npm, Slack and Stripe, JSON Web Tokens and private keys."""
