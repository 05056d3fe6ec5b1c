"""An error answer of the local cloud."""


class Refusal(Exception):
    """The service says no; `code` is the AWS error code, whose model decides the HTTP status.

    `Type` goes into the answer's body where the model of the error has such a member: the fault is the caller's.
    """

    Type = "User"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
