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
        (["--password", "-hunter2"], ["--password", MASK]),
        (["--password", "--hunter2"], ["--password", MASK]),
        (["--password=", "abc"], [f"--password={MASK}", MASK]),
        (["client_secret", "=", "abc"], ["client_secret", "=", MASK]),
        (["-H", "Authorization:", "Bearer", "abc"], ["-H", "Authorization:", MASK, MASK]),
        (["token", "abc"], ["token", MASK]),
        (["DbPassword=abc", "Stage=prod"], [f"DbPassword={MASK}", "Stage=prod"]),
        (["--tags", "Key=Stage,Value=abc"], ["--tags", f"Key=Stage,Value={MASK}"]),
        (["jdbc:mysql://db/x?user=a&password=abc"], [f"jdbc:mysql://db/x?{MASK}"]),
        (["jdbc:oracle:thin:scott/tiger@db"], [f"jdbc:oracle:thin:{MASK}@db"]),
        (["sh", "-c", "deploy --password abc --stage prod"], ["sh", "-c", f"deploy --password {MASK} --stage prod"]),
        (["sh", "-c", "FAIL_RATIO=0.5 deploy --password abc"], ["sh", "-c", f"FAIL_RATIO={MASK}"]),
        (["FAIL_RATIO=0.5"], ["FAIL_RATIO=0.5"]),
        (
            ["make", "--author", "me", "./deploy-auth.sh", "prod"],
            ["make", "--author", "me", "./deploy-auth.sh", "prod"],
        ),
        (["sh", "-c", "sam build && sam deploy"], ["sh", "-c", "sam build && sam deploy"]),
        (["-pabc", "-eA=b"], [f"-p{MASK}", f"-eA={MASK}"]),
        (["sh", "-c", "mysql -uroot -pabc x"], ["sh", "-c", f"mysql -uroot -p{MASK} x"]),
        (["//me:abc@h/x"], [f"//{MASK}@h/x"]),
        (['{"Variables":{"A":"b"},"Name":"x"}'], [f'{{"Variables":{{{MASK}}},"Name":"x"}}']),
        (["api_key=abc, weight 1"], [f"api_key={MASK}"]),
        (["see https://h/x?a=b, c"], [f"see https://h/x?{MASK}, c"]),
        (["--variables", '{"a":"b"}'], ["--variables", f"{{{MASK}}}"]),
        (["{{x}}", "token={{x}}"], ["{{x}}", "token={{x}}"]),
        (["--speed", "60", "erroruser"], ["--speed", "60", "erroruser"]),
    ],
)
def test_secrets_on_the_command_line_are_masked(command: list[str], safe: list[str]) -> None:
    """Only the known test users may be seen."""
    assert masked(command) == safe
