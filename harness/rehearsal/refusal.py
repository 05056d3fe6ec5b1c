"""An error answer of the local cloud."""


class Refusal(Exception):
    """The service says no; `code` is the AWS error code, whose model decides the HTTP status."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
