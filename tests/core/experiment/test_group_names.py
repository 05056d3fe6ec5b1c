import pytest

from harness.core.experiment.contradictions import contradictions
from harness.core.experiment.group_names import FILES_OF_A_RUN, LONGEST_BYTES, about_names, inner_name
from harness.core.experiment.types import Also, Deployment, Experiment
from harness.report.folder import RunFolder


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("..", "b"), "deployment.group: must be more than dots: each group gets a folder of its name, got '..'"),
        (("a", "."), "also[0].group: must be more than dots: each group gets a folder of its name, got '.'"),
        (("a", ""), "also[0].group: must be more than dots: each group gets a folder of its name, got ''"),
        (("a", "Verdict.json"), "also[0].group: must not be the name of a file of the run folder, got 'Verdict.json'"),
        (("a", "a"), "also: the deployment group a is given twice"),
        (("a/b", "a_b"), "also[0].group: 'a_b' would get the same folder as the group 'a/b'; rename one, or watch it"),
        (("shop", "Shop"), "also[0].group: 'Shop' would get the same folder as the group 'shop'"),
        (("a", "ä" * 101), f"also[0].group: must be at most {LONGEST_BYTES} bytes long"),
    ],
)
def test_groups_that_cannot_share_a_run_folder_are_refused(names: tuple[str, str], told: str) -> None:
    """In one sentence that names the field."""
    first, second = names
    experiment = Experiment(name="x", deployment=Deployment(group=first), also=(Also(group=second, function="f"),))
    (problem,) = contradictions(experiment)
    assert str(problem).startswith(told)


def test_a_single_group_may_be_called_anything() -> None:
    """It gets no folder of its own."""
    assert not list(contradictions(Experiment(name="x", deployment=Deployment(group=".."))))


def test_groups_without_a_name_are_passed_over() -> None:
    """Their names are looked up on AWS, and checked then."""
    assert not list(about_names([("deployment.group", None), ("also[0].group", None)]))


@pytest.mark.parametrize("name", ["..", ".", "", "/", "../x", "a/../../b", "\0", "..\\x"])
def test_no_name_leads_out_of_the_run_folder(name: str) -> None:
    """Whatever a group is called."""
    inner = inner_name(name)
    assert inner.strip(".")
    assert not {"/", "\\", "\0"} & set(inner)


def test_every_file_of_a_run_folder_is_known() -> None:
    """A group of such a name would take its place."""
    files = {kind._name for kind in vars(RunFolder).values() if hasattr(kind, "_name")}
    assert files | {"locust.json"} == FILES_OF_A_RUN
