import pytest

from harness.report.masking import MASK, masked


@pytest.mark.parametrize(
    ("command", "safe"),
    [
        (["--token", "abc"], ["--token", MASK]),
        (["--api-key=abc"], [f"--api-key={MASK}"]),
        (["--web-login-password=abc", "-u", "3"], [f"--web-login-password={MASK}", "-u", "3"]),
        (["https://me:secret@example.com/x"], [f"https://{MASK}@example.com/x"]),
        (["Authorization: Bearer abc"], [f"Authorization: {MASK}"]),
        (["Authorization: me@company.com"], [f"Authorization: {MASK}"]),
        (["Authorization: erroruser@company.com"], ["Authorization: erroruser@company.com"]),
        (["--speed", "60", "erroruser"], ["--speed", "60", "erroruser"]),
    ],
)
def test_secrets_on_the_command_line_are_masked(command: list[str], safe: list[str]) -> None:
    """Only the known test users may be seen."""
    assert masked(command) == safe
