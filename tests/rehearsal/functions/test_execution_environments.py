"""Execution environments: what user code sees, what happens when it misbehaves, and that nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from harness.errors import CloudError
from harness.rehearsal.functions.environments import ENVIRONMENTS_A_VERSION

ENVIRON = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
PID = "import os\ndef handler(event, context):\n    return os.getpid()\n"
EXIT = "import os\ndef handler(event, context):\n    return os.getpid() if event is None else os._exit(event)\n"
SLEEP = "import time\ndef handler(event, context):\n    print('asleep')\n    time.sleep(event)\n    return 'awake'\n"
MEETING = """
import pathlib, time
def handler(event, context):
    folder = pathlib.Path(event["folder"])
    (folder / context.aws_request_id).touch()
    while len(list(folder.iterdir())) < event["all"]:
        time.sleep(0.005)
    return "met"
"""
PARENT = """
import pathlib, random, sys, time
from harness.rehearsal.clock import CloudClock, Schedule
from harness.rehearsal.functions.functions import Functions

class Ignored:
    def record(self, *args, **more): pass
    def record_throttle(self, *args): pass

functions = Functions(Schedule(CloudClock(0)), Ignored(), rng=random.Random(1), account="1" * 12, region="eu-north-1")
code = {"ZipFile": pathlib.Path(sys.argv[1]).read_bytes()}
role = "arn:aws:iam::111111111111:role/r"
functions.create_function(
    {"FunctionName": "fn", "Role": role, "Runtime": "python3.11", "Handler": "app.handler", "Code": code}
)
functions.warm("fn", "$LATEST")
print(functions.pids()[0], flush=True)
time.sleep(60)
"""


def open_files() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_user_code_sees_lambdas_environment(create, invoke, endpoint):
    """The variables that Lambda sets, and this cloud as AWS's endpoint."""
    create(ENVIRON, Publish=True, Environment={"Variables": {"FAIL_RATIO": "0.5"}})
    seen = invoke({}, Qualifier="1").payload
    expected = {
        "AWS_LAMBDA_FUNCTION_NAME": "fn",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_REGION": "eu-north-1",
        "AWS_ENDPOINT_URL": endpoint,
        "TZ": ":UTC",
        "FAIL_RATIO": "0.5",
        "_HANDLER": "app.handler",
    }
    assert {name: seen.get(name) for name in expected} == expected
    assert (Path(seen["LAMBDA_TASK_ROOT"]) / "app.py").exists()


def test_user_code_does_not_see_the_persons_environment(create, invoke, monkeypatch):
    """Neither credentials nor anything else that was not given to the function."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a real secret")
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("SOME_TOKEN", "a token")
    create(ENVIRON)
    seen = invoke({}).payload
    assert seen["AWS_SECRET_ACCESS_KEY"] == "local"
    assert not {"AWS_PROFILE", "SOME_TOKEN", "HOME"} & seen.keys()


def test_user_code_can_call_this_cloud(create, invoke):
    """boto3 in a function finds the cloud without any configuration."""
    source = """
import boto3
def handler(event, context):
    return boto3.client("lambda").get_function_configuration(FunctionName="fn")["Handler"]
"""
    create(source, Timeout=30)
    assert invoke({}).payload == "app.handler"


def test_the_context_is_lambdas(create, invoke):
    """Names, request id, limits and the time that is left."""
    source = """
def handler(event, context):
    names = ["function_name", "function_version", "memory_limit_in_mb", "log_group_name", "aws_request_id"]
    return {**{name: getattr(context, name) for name in names}, "left": context.get_remaining_time_in_millis()}
"""
    create(source, Timeout=7, MemorySize=256)
    answer = invoke({})
    seen = answer.payload
    assert (seen["function_name"], seen["function_version"], seen["memory_limit_in_mb"]) == ("fn", "$LATEST", "256")
    assert seen["log_group_name"] == "/aws/lambda/fn"
    assert f"START RequestId: {seen['aws_request_id']} " in answer.log
    assert 5000 < seen["left"] <= 7000


def test_an_environment_is_used_again(create, invoke):
    """A warm start runs in the same process."""
    create(PID)
    assert invoke({}).payload == invoke({}).payload


def test_globals_live_as_long_as_their_environment(create, invoke):
    """What is set at import is kept between runs, as in Lambda."""
    create("count = 0\ndef handler(event, context):\n    global count\n    count += 1\n    return count\n")
    assert [invoke({}).payload for _ in range(3)] == [1, 2, 3]


def test_two_versions_have_two_processes(create, publish, invoke):
    """No version shares an environment with another."""
    create(PID)
    versions = [publish(MODE=mode) for mode in ("a1", "b1")]
    assert len({invoke({}, Qualifier=version).payload for version in versions}) == 2


def test_a_version_freezes_its_code(create, client, publish, invoke, zipped):
    """New code does not reach the version before it, though the module has the same name."""
    create({"app.py": "import rules\ndef handler(event, context): return rules.NAME\n", "rules.py": "NAME = 'old'\n"})
    client.publish_version(FunctionName="fn")
    files = {"app.py": "import rules\ndef handler(event, context): return rules.NAME\n", "rules.py": "NAME = 'new'\n"}
    client.update_function_code(FunctionName="fn", ZipFile=zipped(files), Publish=True)
    asked = ("1", "2", "1", "$LATEST")
    assert [invoke({}, Qualifier=version).payload for version in asked] == ["old", "new", "old", "new"]


def test_a_version_freezes_its_environment(create, publish, invoke):
    """New variables do not reach the version before it."""
    create(ENVIRON)
    publish(FAIL_RATIO="0")
    publish(FAIL_RATIO="0.5")
    assert [invoke({}, Qualifier=version).payload["FAIL_RATIO"] for version in ("1", "2")] == ["0", "0.5"]


def test_latest_follows_a_change_and_leaves_no_process(create, client, invoke, functions, eventually):
    """After an update the next run sees it, and the old environment ends."""
    create(ENVIRON)
    invoke({})
    (old,) = functions.pids()
    client.update_function_configuration(FunctionName="fn", Environment={"Variables": {"MODE": "new"}})
    assert invoke({}).payload["MODE"] == "new"
    assert not is_running(old)
    assert len(functions.pids()) == 1


def test_a_handler_in_a_subfolder_is_found(create, invoke):
    """`folder/app.handler` is the module folder.app."""
    create({"folder/app.py": "def handler(event, context): return __name__\n"}, Handler="folder/app.handler")
    assert invoke({}).payload == "folder.app"


BROKEN = {
    "a module that is missing": (
        {"other.py": "x = 1\n"},
        "Runtime.ImportModuleError",
        "Unable to import module 'app': No module named 'app'",
    ),
    "an import that is missing": (
        {"app.py": "import no_such_library\n"},
        "Runtime.ImportModuleError",
        "Unable to import module 'app': No module named 'no_such_library'",
    ),
    "a function that is missing": (
        {"app.py": "def other(event, context): ...\n"},
        "Runtime.HandlerNotFound",
        "Handler 'handler' missing on module 'app'",
    ),
    "a handler that is no function": (
        {"app.py": "handler = 1\n"},
        "Runtime.HandlerNotFound",
        "Handler 'handler' missing on module 'app'",
    ),
    "code that does not parse": (
        {"app.py": "def handler(:\n"},
        "Runtime.UserCodeSyntaxError",
        "Syntax error in module",
    ),
    "an error while importing": ({"app.py": "raise KeyError('TABLE')\n"}, "KeyError", "'TABLE'"),
    "an exit while importing": ({"app.py": "import os\nos._exit(4)\n"}, "Runtime.ExitError", "exit status 4"),
}


@pytest.mark.parametrize(("files", "kind", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_code_that_does_not_import_fails_every_run(create, invoke, counted, files, kind, words):
    """The payload is Lambda's, and each run counts as an error."""
    create(files)
    for _ in range(2):
        answer = invoke({})
        assert (answer.error, answer.payload["errorType"]) == ("Unhandled", kind)
        assert words in answer.payload["errorMessage"]
    assert [run["failed"] for run in counted.runs] == [True, True]


@pytest.mark.parametrize(("files", "kind", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_warming_code_that_does_not_import_is_one_clear_sentence(create, functions, files, kind, words):
    """It names the handler, the function and the version; a module or function that is not there is a wrong name."""
    create(files)
    is_misspelt = kind == "Runtime.HandlerNotFound" or words.endswith("'app'")
    with pytest.raises(CloudError) if is_misspelt else nullcontext() as caught:
        said = functions.warm("fn", "$LATEST")
    assert (str(caught.value) if caught else said).startswith("The handler app.handler of fn version $LATEST ")


def test_an_import_that_takes_too_long_is_begun_again_within_the_runs_time(create, invoke, counted, monkeypatch):
    """Lambda gives an init its own time, and then that of the function: the payload tells of the latter."""
    monkeypatch.setattr("harness.rehearsal.functions.own_code.INIT_LIMIT_S", 0.3)
    create("import time\ntime.sleep(60)\n", Timeout=1)
    answer = invoke({})
    assert answer.payload["errorType"] == "Sandbox.Timedout"
    assert answer.payload["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    assert [run["failed"] for run in counted.runs] == [True]


def test_a_slow_import_that_ends_within_the_second_time_runs(create, invoke, monkeypatch):
    """The first run waits for it."""
    monkeypatch.setattr("harness.rehearsal.functions.own_code.INIT_LIMIT_S", 0.1)
    create("import time\ntime.sleep(0.3)\ndef handler(event, context): return 'up'\n", Timeout=30)
    assert invoke({}).payload == "up"


def test_an_import_that_hangs_ends_in_simulated_time(create, functions, counted, monkeypatch, caplog):
    """At a high speed the limits run out as fast, the error is AWS's, and stderr tells of it once."""
    monkeypatch.setattr("harness.rehearsal.clock.LEAST_LIMIT_S", 0.2)
    create("import time\ntime.sleep(60)\n", Timeout=30)
    for _ in range(2):
        done = functions.run("fn", "$LATEST", b"{}", alias=None, speed=1000)
        assert json.loads(done.payload)["errorMessage"].endswith("Error: Task timed out after 30.00 seconds")
    assert [run["failed"] for run in counted.runs] == [True, True]
    assert caplog.text.count("ended after 0.2 s of wall time, which stand for its timeout of 30 s at speed 1000") == 1


def test_what_is_known_to_start_is_never_cut_while_it_starts(create, functions, monkeypatch, eventually):
    """A loaded machine starts Python slowly: only code that never started is held to the speed."""
    create("import time\ntime.sleep(0.3)\ndef handler(event, context): return 'up'\n", Timeout=30)
    functions.warm("fn", "$LATEST")
    (pid,) = functions.pids()
    os.kill(pid, signal.SIGKILL)
    # A process whose threads are not all gone is a zombie already, and nobody can be told of its end.
    eventually(lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG))
    monkeypatch.setattr("harness.rehearsal.clock.LEAST_LIMIT_S", 0.2)
    assert functions.run("fn", "$LATEST", b"{}", alias=None, speed=1000).payload == b'"up"'


def test_an_error_payload_has_the_id_of_its_request(create, invoke):
    """Of a run that failed and of a version that cannot be imported."""
    for source in ("raise KeyError('TABLE')\n", "def handler(event, context): raise KeyError('TABLE')\n"):
        create(source, FunctionName="one" if "def" in source else "two")
        answer = invoke({}, FunctionName="one" if "def" in source else "two")
        assert list(answer.payload) == ["errorMessage", "errorType", "requestId", "stackTrace"]
        assert answer.payload["requestId"] in answer.log


def test_a_malformed_handler_is_told(create, invoke):
    """A handler has a module and a function."""
    create(Handler="handler")
    assert invoke({}).payload["errorType"] == "Runtime.MalformedHandlerName"


def test_a_warm_environment_is_there_for_the_first_run(create, functions, invoke):
    """`warm` starts the process that then runs."""
    create(PID)
    functions.warm("fn", "$LATEST")
    assert functions.pids() == [invoke({}).payload]


@pytest.mark.parametrize(
    ("status", "words"),
    [(1, "Runtime exited with error: exit status 1"), (0, "Runtime exited without providing a reason")],
)
def test_a_crash_is_an_error_and_the_environment_is_replaced(create, invoke, counted, status, words):
    """os._exit ends one run, and the next has a new process."""
    create(EXIT)
    before = invoke(None).payload
    crash = invoke(status)
    assert (crash.error, crash.payload["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert words in crash.payload["errorMessage"]
    assert invoke(None).payload != before
    assert [run["failed"] for run in counted.runs] == [False, True, False]


def test_a_killed_environment_tells_its_signal(create, invoke):
    """As a process that ran out of memory."""
    create("import os, signal\ndef handler(event, context):\n    os.kill(os.getpid(), signal.SIGKILL)\n")
    assert invoke({}).payload["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")


def test_sys_exit_ends_the_environment(create, invoke):
    """SystemExit is no error that the runtime handles."""
    create("import sys\ndef handler(event, context):\n    print('last words')\n    sys.exit(3)\n")
    answer = invoke({})
    assert answer.payload["errorMessage"].endswith("exit status 3")
    assert "last words" in answer.log


def test_an_environment_that_dies_while_idle_is_replaced(create, invoke, functions, eventually):
    """Its death costs no run."""
    create(PID)
    pid = invoke({}).payload
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_running(pid))
    answer = invoke({})
    assert (answer.error, answer.payload == pid) == (None, False)


UNSENDABLE = {
    "a set": ("{1, 2}", "Object of type set is not JSON serializable"),
    "bytes": ("b'x'", "Object of type bytes is not JSON serializable"),
    "a key that is a tuple": ("{(1, 2): 3}", "keys must be str"),
}


@pytest.mark.parametrize(("value", "words"), UNSENDABLE.values(), ids=UNSENDABLE.keys())
def test_an_answer_that_is_no_json_is_a_marshal_error(create, invoke, value, words):
    """The environment lives on."""
    create(f"def handler(event, context): return {value}\n")
    answer = invoke({})
    assert (answer.error, answer.payload["errorType"]) == ("Unhandled", "Runtime.MarshalError")
    assert answer.payload["errorMessage"].startswith("Unable to marshal response: ")
    assert words in answer.payload["errorMessage"]


def test_an_answer_beyond_6_mb_is_an_error(create, invoke):
    """The limit is Lambda's."""
    create("def handler(event, context): return 'x' * 6_291_555\n")
    answer = invoke({})
    assert answer.payload == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }


def test_an_answer_of_6_mb_comes_through(create, invoke):
    """The largest answer that Lambda lets through."""
    create("def handler(event, context): return 'x' * 6_291_554\n")
    assert len(invoke({}).payload) == 6_291_554


@pytest.mark.parametrize("stream", ["sys.stdout", "sys.__stdout__", "sys.stderr"])
def test_what_is_written_does_not_disturb_the_answer(create, invoke, stream):
    """The link to the cloud is neither of the standard streams."""
    create(f"import os, sys\ndef handler(event, context):\n    {stream}.write('{{}}')\n    os.write(1, b'x')\n")
    answer = invoke({})
    assert (answer.error, answer.payload) == (None, None)


@pytest.mark.parametrize("code", ["sys.stdout.close()", "sys.stdout = None"])
def test_user_code_may_do_away_with_its_standard_streams(create, invoke, code):
    """Answers and errors come all the same."""
    create(f"import sys\ndef handler(event, context):\n    {code}\n    return 1 / event\n")
    assert invoke(1).payload == 1
    assert invoke(0).payload["errorType"] == "ZeroDivisionError"


@pytest.mark.slow
def test_a_run_that_takes_too_long_is_ended(create, invoke, counted):
    """After the function's timeout in wall time; its process is gone and the next run has a new one."""
    create(SLEEP, Timeout=1)
    late = invoke(20)
    assert late.error == "Unhandled"
    assert late.payload["errorType"] == "Sandbox.Timedout"
    assert late.payload["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    assert "asleep" in late.log
    assert invoke(0).payload == "awake"
    assert counted.runs[0]["failed"]
    assert counted.runs[0]["duration_ms"] == pytest.approx(1000)


@pytest.mark.slow
def test_a_run_that_takes_too_long_leaves_no_process(create, invoke, functions):
    """Nor those that it started itself, once the system has ended what was killed."""
    source = """
import subprocess, time
def handler(event, context):
    print("child", subprocess.Popen(["sleep", "60"]).pid)
    time.sleep(60)
"""
    create(source, Timeout=2)
    child = int(invoke({}).log.split("child ")[1].split()[0])
    assert functions.pids() == []
    give_up = time.monotonic() + 10
    while is_running(child):
        assert time.monotonic() < give_up
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody can find them")
def test_what_a_function_detached_ends_with_it(create, invoke, functions):
    """A process in a session of its own, whose parent is gone, is still found and ended."""
    source = """
import subprocess
def handler(event, context):
    shell = "setsid sleep 60 & echo $!"
    return int(subprocess.run(["sh", "-c", shell], stdout=subprocess.PIPE, text=True).stdout)
"""
    create(source.replace("sleep 60 &", "sleep 60 > /dev/null 2>&1 &"), Timeout=5)
    detached = int(invoke({}).payload)
    assert is_running(detached)
    functions.close()
    give_up = time.monotonic() + 10
    while is_running(detached):
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_runs_at_once_have_an_environment_each(create, functions, tmp_path):
    """Four runs that wait for each other all come back: each has a process of its own."""
    create(MEETING, Timeout=20)
    folder = tmp_path / "met"
    folder.mkdir()
    event = json.dumps({"folder": str(folder), "all": 4}).encode()
    done: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: done.append(functions.run("fn", "$LATEST", event, alias=None).payload))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [b'"met"'] * 4
    assert len(functions.pids()) == 4


def test_a_version_has_only_so_many_environments(create, functions):
    """More runs at once than the bound wait for each other."""
    create("import time\ndef handler(event, context):\n    time.sleep(0.01)\n", Timeout=20)
    threads = [
        threading.Thread(target=functions.run, args=("fn", "$LATEST", b"{}"), kwargs={"alias": None})
        for _ in range(ENVIRONMENTS_A_VERSION * 3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 < len(functions.pids()) <= ENVIRONMENTS_A_VERSION


def test_closing_ends_every_process_and_removes_every_file(create, publish, invoke, functions):
    """Idle environments and unpacked zips are gone; a second close does nothing."""
    create(ENVIRON)
    for mode in ("a1", "b1"):
        root = Path(invoke({}, Qualifier=publish(MODE=mode)).payload["LAMBDA_TASK_ROOT"])
    pids = functions.pids()
    functions.close()
    functions.close()
    assert len(pids) == 2
    assert not any(is_running(pid) for pid in pids)
    assert not root.exists()


def test_closing_ends_a_run_under_way(create, functions, eventually, tmp_path):
    """The run comes back as an error and its process is gone."""
    create(MEETING, Timeout=60)
    event = json.dumps({"folder": str(tmp_path), "all": 99}).encode()
    done = []
    run = threading.Thread(target=lambda: done.append(functions.run("fn", "$LATEST", event, alias=None)))
    run.start()
    eventually(lambda: bool(list(tmp_path.iterdir())))
    pids = functions.pids()
    functions.close()
    run.join()
    assert done[0].error == "Unhandled"
    assert not any(is_running(pid) for pid in pids)


def test_a_deleted_function_leaves_no_process(create, client, invoke, functions):
    """DeleteFunction ends the environments of all versions."""
    create(PID, Publish=True)
    pids = [invoke({}, Qualifier=qualifier).payload for qualifier in ("1", "$LATEST")]
    client.delete_function(FunctionName="fn")
    assert functions.pids() == []
    assert not any(is_running(pid) for pid in pids)


def test_environments_end_with_the_cloud_however_it_ends(zipped, tmp_path, eventually):
    """A cloud that is killed cannot clean up: its environments notice and end themselves."""
    (tmp_path / "app.zip").write_bytes(zipped(PID))
    command = [sys.executable, "-c", PARENT, str(tmp_path / "app.zip")]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as cloud:
        assert cloud.stdout
        pid = int(cloud.stdout.readline())
        assert is_running(pid)
        cloud.kill()
    eventually(lambda: not is_running(pid))


def test_crashes_leave_no_open_files(create, invoke):
    """Sockets and logs of environments that are gone are closed."""
    create(EXIT)
    invoke(1)
    before = open_files()
    for _ in range(10):
        invoke(1)
    assert open_files() <= before + 2


def test_your_own_code_runs_from_the_working_directory(create_image, invoke, tmp_path, monkeypatch):
    """It is imported from the folder that the cloud was started in, and sees its version's variables."""
    (tmp_path / "my_service.py").write_text("import os\ndef answer(event, context):\n    return os.environ['MODE']\n")
    monkeypatch.chdir(tmp_path)
    create_image("python:my_service:answer", Environment={"Variables": {"MODE": "canary"}})
    assert invoke({}).payload == "canary"


def test_your_own_code_may_be_in_a_package(create_image, invoke, tmp_path, monkeypatch):
    """A dotted module with relative imports."""
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "rules.py").write_text("NAME = 'rules'\n")
    (package / "api.py").write_text("from . import rules\ndef answer(event, context):\n    return rules.NAME\n")
    monkeypatch.chdir(tmp_path)
    create_image("python:my_package.api:answer")
    assert invoke({}).payload == "rules"


def test_warming_your_own_code_that_is_missing_names_it(create_image, functions, tmp_path, monkeypatch):
    """The sentence has the handler as it was given."""
    monkeypatch.chdir(tmp_path)
    create_image("python:no_such_module:answer")
    with pytest.raises(CloudError, match=r"^The handler no_such_module:answer .* No module named 'no_such_module'"):
        functions.warm("fn", "$LATEST")
