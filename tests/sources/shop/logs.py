"""The same minutes of the shop's traffic as each kind of access log writes them: orders, searches and logins."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 20, 18, 0, 0, tzinfo=UTC)
RATE = 20
"""Requests per second."""
SECONDS = 30


def calls() -> Iterator[tuple[datetime, str, str, str, int]]:
    """Time, method, path, query and status of each request: of ten, six orders, three searches and a login."""
    for number in range(RATE * SECONDS):
        at, turn = START + timedelta(seconds=number / RATE), number % 10
        if turn < 6:
            yield at, "GET", f"/orders/{1000 + number % 4}", "", 200
        elif turn < 9:
            yield at, "GET", "/search", f"q={'shoes' if number % 2 else 'red%20hats'}&token=k-9d1f", 200
        else:
            yield at, "POST", "/login", "", 200


def _target(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def common(at: datetime, method: str, path: str, query: str, status: int) -> str:
    """A line of nginx's combined format."""
    asked = f"{method} {_target(path, query)} HTTP/1.1"
    return f'203.0.113.7 - - [{at:%d/%b/%Y:%H:%M:%S %z}] "{asked}" {status} 512 "-" "Mozilla/5.0 (X11)"'


def gateway_clf(at: datetime, method: str, path: str, query: str, status: int) -> str:
    """A line of API Gateway's CLF, which names routes and not paths."""
    route = "/orders/{orderId}" if path.startswith("/orders/") else path
    return f'203.0.113.7 - - [{at:%d/%b/%Y:%H:%M:%S %z}] "{method} {route} HTTP/1.1" {status} 512 c6af9ac6-7b61'


def gateway_json(at: datetime, method: str, path: str, query: str, status: int) -> str:
    """A line of API Gateway's JSON, with the path below its stage."""
    route = "/orders/{orderId}" if path.startswith("/orders/") else path
    return json.dumps(
        {
            "requestId": "c6af9ac6",
            "ip": "203.0.113.7",
            "requestTime": f"{at:%d/%b/%Y:%H:%M:%S %z}",
            "httpMethod": method,
        }
        | {
            "resourcePath": route,
            "path": f"/prod{path}",
            "stage": "prod",
            "status": str(status),
            "protocol": "HTTP/1.1",
        }
    )


def alb(at: datetime, method: str, path: str, query: str, status: int) -> str:
    """A line of an Application Load Balancer."""
    asked = f"{method} https://shop.example.com:443{_target(path, query)} HTTP/2.0"
    return (
        f"h2 {at:%Y-%m-%dT%H:%M:%S.%fZ} app/shop/50dc6c495c0c9188 203.0.113.7:2817 10.0.0.1:80 0.000 0.001 0.000 "
        f'{status} {status} 34 366 "{asked}" "curl/7.46.0" ECDHE-RSA TLSv1.2 arn:aws:elb "Root=1-58337"'
    )


def cloudfront(at: datetime, method: str, path: str, query: str, status: int) -> str:
    """A line of CloudFront."""
    words = [f"{at:%Y-%m-%d}", f"{at:%H:%M:%S}", "FRA2", "512", "203.0.113.7", method, "d1.cloudfront.net", path]
    return "\t".join([*words, str(status), "-", "Mozilla/5.0", query or "-"])


FIELDS = "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent)"
CLOUDFRONT_HEAD = f"#Version: 1.0\n#Fields: {FIELDS} cs-uri-query\n"

FORMATS: dict[str, Callable[..., str]] = {
    "nginx": common,
    "gateway-clf": gateway_clf,
    "gateway-json": gateway_json,
    "alb": alb,
    "cloudfront": cloudfront,
}


def log(kind: str) -> str:
    """The log in one format."""
    head = CLOUDFRONT_HEAD if kind == "cloudfront" else ""
    return head + "".join(f"{FORMATS[kind](*call)}\n" for call in calls())
