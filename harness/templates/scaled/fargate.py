"""A CloudFormation template: one service for the master and one for its workers, on ECS with Fargate."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.templates.scaled.run import HOME, REPORTS, Document, ScaledRun, counted, master_words, words

MOST_FILES = 32 * 1024
"""Bytes of all files: they stand in task definitions, of which ECS takes 64 KiB."""
_FILES = "files"
_USER = "10001"
"""The user of the image."""
_MASTER_PORT = 5557
_NFS_PORT = 2049


def fargate_template(run: ScaledRun, permissions: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[Document]]:
    """What a person is told, and the template. `permissions` are the statements of IAM that the master needs."""
    document: Document = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{run.name}: a master of canary-harness and its workers on Fargate",
        "Parameters": _parameters(run),
        "Resources": {
            **_network(run),
            **_reports(),
            **_roles(run, permissions),
            **_tasks(run),
            **_services(),
        },
        "Outputs": {
            "Cluster": {"Value": _ref("Cluster")},
            "Reports": {"Value": _ref("Files"), "Description": "The EFS file system that keeps the reports"},
        },
    }
    secrets = " Secrets=ARN" if run.secrets else ""
    needed = ", ".join(run.secrets)
    held = [f"Secrets is a secret of Secrets Manager, a JSON object with {needed}."] if run.secrets else []
    told = [
        f"A master and {counted(run.workers)} on Fargate:",
        f"  aws cloudformation deploy --template-file THIS-FILE --stack-name {run.name} \\",
        f"    --capabilities CAPABILITY_IAM --parameter-overrides Vpc=vpc-... Subnet=subnet-...{secrets}",
        "The subnet needs a way to the internet: NAT, or AssignPublicIp=ENABLED in a public one.",
        *held,
        "The test starts by itself once, however often ECS starts the master again. Then the page waits for START:",
        "  aws ssm start-session --document-name AWS-StartPortForwardingSession --parameters portNumber=8089 \\",
        "    --target ecs:CLUSTER_TASK_RUNTIME-ID",
        "Reports stay on the EFS file system when the stack is deleted; delete it yourself.",
    ]
    return told, [document]


def _ref(name: str) -> Document:
    return {"Ref": name}


def _got(name: str, attribute: str) -> Document:
    return {"Fn::GetAtt": [name, attribute]}


def _parameters(run: ScaledRun) -> Document:
    secrets = {"Type": "String", "Description": f"ARN of a secret with the keys {', '.join(run.secrets)}"}
    return {
        "Vpc": {"Type": "AWS::EC2::VPC::Id"},
        "Subnet": {"Type": "AWS::EC2::Subnet::Id"},
        "AssignPublicIp": {"Type": "String", "AllowedValues": ["ENABLED", "DISABLED"], "Default": "DISABLED"},
        "Workers": {"Type": "Number", "Default": run.workers, "MinValue": 1},
        **({"Secrets": secrets} if run.secrets else {}),
    }


def _network(run: ScaledRun) -> Document:
    """What master and workers share; only they reach the master's port, which has no authentication."""
    inside = {"IpProtocol": "tcp", "SourceSecurityGroupId": _got("Inside", "GroupId")}
    ports = {"Workers": _MASTER_PORT, "Mount": _NFS_PORT}
    return {
        "Cluster": {"Type": "AWS::ECS::Cluster"},
        "Logs": {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {"RetentionInDays": 30},
        },
        "Inside": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"GroupDescription": "Master, workers and reports of a load test", "VpcId": _ref("Vpc")},
        },
        **{
            f"To{name}": {
                "Type": "AWS::EC2::SecurityGroupIngress",
                "Properties": {"GroupId": _got("Inside", "GroupId"), **inside, "FromPort": port, "ToPort": port},
            }
            for name, port in ports.items()
        },
        "Names": {
            "Type": "AWS::ServiceDiscovery::PrivateDnsNamespace",
            "Properties": {"Name": f"{run.name}.internal", "Vpc": _ref("Vpc")},
        },
        "MasterName": {
            "Type": "AWS::ServiceDiscovery::Service",
            "Properties": {
                "Name": "master",
                "DnsConfig": {"NamespaceId": _ref("Names"), "DnsRecords": [{"Type": "A", "TTL": 10}]},
            },
        },
    }


def _reports() -> Document:
    """A file system that outlives the stack."""
    owner = {"OwnerUid": _USER, "OwnerGid": _USER, "Permissions": "0750"}
    return {
        "Files": {
            "Type": "AWS::EFS::FileSystem",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"Encrypted": True},
        },
        "Mount": {
            "Type": "AWS::EFS::MountTarget",
            "Properties": {
                "FileSystemId": _ref("Files"),
                "SubnetId": _ref("Subnet"),
                "SecurityGroups": [_got("Inside", "GroupId")],
            },
        },
        "Access": {
            "Type": "AWS::EFS::AccessPoint",
            "Properties": {
                "FileSystemId": _ref("Files"),
                "PosixUser": {"Uid": _USER, "Gid": _USER},
                "RootDirectory": {"Path": "/reports", "CreationInfo": owner},
            },
        },
    }


def _roles(run: ScaledRun, permissions: Sequence[Mapping[str, Any]]) -> Document:
    """ECS's own role, and the master's; a worker asks AWS for nothing and has none."""
    trusted = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    page = {
        "Effect": "Allow",
        "Action": [
            f"ssmmessages:{verb}{channel}Channel" for verb in ("Create", "Open") for channel in ("Control", "Data")
        ],
        "Resource": "*",
    }
    reading = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": _ref("Secrets")}
    policy = "arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    return {
        "EcsRole": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": trusted,
                "ManagedPolicyArns": [{"Fn::Sub": policy}],
                **({"Policies": [_policy("ReadsSecrets", [reading])]} if run.secrets else {}),
            },
        },
        "MasterRole": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": trusted,
                "Policies": [_policy("Watches", permissions), _policy("ShowsItsPage", [page])],
            },
        },
    }


def _policy(name: str, statements: Sequence[Mapping[str, Any]]) -> Document:
    return {"PolicyName": name, "PolicyDocument": {"Version": "2012-10-17", "Statement": [*statements]}}


def _tasks(run: ScaledRun) -> Document:
    master = [
        *words(run, _FILES),
        "--master",
        f"--expect-workers={run.workers}",
        *master_words(run, _FILES),
    ]
    worker = [*words(run, _FILES), "--worker", f"--master-host=master.{run.name}.internal"]
    configuration = {
        "FilesystemId": _ref("Files"),
        "TransitEncryption": "ENABLED",
        "AuthorizationConfig": {"AccessPointId": _ref("Access")},
    }
    mount = {"SourceVolume": "reports", "ContainerPath": REPORTS}
    return {
        "MasterTask": _task(
            {
                **_container(run, "master", master, run.secrets),
                "MountPoints": [mount],
                "LinuxParameters": {"InitProcessEnabled": True},
            },
            TaskRoleArn=_got("MasterRole", "Arn"),
            Volumes=[{"Name": "reports", "EFSVolumeConfiguration": configuration}],
        ),
        "WorkerTask": _task(_container(run, "worker", worker, run.requests_need)),
    }


def _task(container: Document, **more: object) -> Document:
    properties = {
        "RequiresCompatibilities": ["FARGATE"],
        "NetworkMode": "awsvpc",
        "Cpu": "1024",
        "Memory": "2048",
        "ExecutionRoleArn": _got("EcsRole", "Arn"),
        **more,
        "ContainerDefinitions": [container],
    }
    return {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}


def _container(run: ScaledRun, name: str, command: Sequence[str], secrets: Sequence[str]) -> Document:
    """A container that writes the run's files before it begins: a task has no other place for them."""
    numbered = {f"CANARY_FILE_{number}": file for number, file in enumerate(run.files, 1)}
    environment = {variable: run.files[file] for variable, file in numbered.items()}
    region = run.region or {"Ref": "AWS::Region"}
    logs = {"awslogs-group": _ref("Logs"), "awslogs-region": {"Ref": "AWS::Region"}, "awslogs-stream-prefix": name}
    return {
        "Name": name,
        "Image": run.image,
        "EntryPoint": ["sh", "-c", _script(numbered, once=name == "master"), "canary-harness"],
        "Command": [*command],
        "Environment": [
            {"Name": variable, "Value": value} for variable, value in {**environment, "AWS_REGION": region}.items()
        ],
        "Secrets": [{"Name": secret, "ValueFrom": {"Fn::Sub": "${Secrets}:" + secret + "::"}} for secret in secrets],
        "LogConfiguration": {"LogDriver": "awslogs", "Options": logs},
    }


def _script(numbered: Mapping[str, str], *, once: bool) -> str:
    """Writes the files and starts the harness; a master whose service starts it again does not test again by itself."""
    lines = [f"cd {HOME} && mkdir -p {_FILES} || exit 1"]
    lines += [f'printf %s "${variable}" > {_FILES}/{file}' for variable, file in numbered.items()]
    if once:
        lines += [f'mkdir {REPORTS}/.started 2> /dev/null && set -- "$@" --autostart']
    return "\n".join([*lines, 'exec canary-harness "$@"'])


def _services() -> Document:
    registry = {"RegistryArn": _got("MasterName", "Arn")}
    master = _service(
        "MasterTask",
        1,
        EnableExecuteCommand=True,
        DeploymentConfiguration={"MinimumHealthyPercent": 0, "MaximumPercent": 100},
        ServiceRegistries=[registry],
    )
    worker = _service("WorkerTask", _ref("Workers"))
    return {
        "Master": {**master, "DependsOn": ["Mount", "ToMount", "ToWorkers"]},
        "Worker": {**worker, "DependsOn": ["Master"]},
    }


def _service(task: str, count: object, **more: object) -> Document:
    network = {
        "Subnets": [_ref("Subnet")],
        "SecurityGroups": [_got("Inside", "GroupId")],
        "AssignPublicIp": _ref("AssignPublicIp"),
    }
    properties = {
        "Cluster": _ref("Cluster"),
        "LaunchType": "FARGATE",
        "TaskDefinition": _ref(task),
        "DesiredCount": count,
        "NetworkConfiguration": {"AwsvpcConfiguration": network},
        **more,
    }
    return {"Type": "AWS::ECS::Service", "Properties": properties}
