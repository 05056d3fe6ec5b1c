"""The service under load: Debian's nginx, one process on a core of its own, answering from memory; it counts itself."""

import datetime
import ipaddress
import os
import re
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.benchmarks.processes import free_port, running, wait_for

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
CORE = 0
"""The service's core; clients get the next one."""

CONFIG = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr error;
events {{ worker_connections 8192; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 600; default_type application/json;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{status_port}; location / {{ stub_status; }} }}
    server {{
        listen 127.0.0.1:{port}{ssl};
        add_header X-Lambda-Version 1;
        location / {{ return 200 '{{"userName": "standarduser@company.com", "featureToggles": []}}'; }}
    }}
}}
"""
SSL = " ssl; ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key"


class Service:
    """An nginx that runs: where it is, and in what environment clients trust it."""

    def __init__(self, url: str, status_url: str, pid: int, trust: Mapping[str, str]) -> None:
        self.url = url
        self.pid = pid
        self.trust = trust
        self._status_url = status_url
        self._asked = 1

    def requests(self) -> int:
        """Requests that it has answered since it began, by its own count, such questions left out."""
        self._asked += 1
        with urllib.request.urlopen(self._status_url, timeout=5) as answer:
            counts = re.search(rb"requests\s+\d+ \d+ (\d+)", answer.read())
        assert counts
        return int(counts[1]) - self._asked


@contextmanager
def nginx(*, tls: bool = False) -> Iterator[Service]:
    """An nginx of our own on ephemeral loopback ports."""
    assert NGINX
    with tempfile.TemporaryDirectory(prefix="canary-nginx-") as name:
        folder = Path(name)
        if tls:
            certify(folder)
        port, status_port = free_port(), free_port()
        ssl = SSL.format(folder=folder) if tls else ""
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(folder=folder, port=port, status_port=status_port, ssl=ssl))
        with running([NGINX, "-p", name, "-c", str(config)], core=CORE) as process:
            status_url = f"http://127.0.0.1:{status_port}/"
            wait_for(status_url)
            url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
            yield Service(url, status_url, process.pid, trusting(folder / "ca.pem") if tls else {})


def trusting(authority: Path) -> dict[str, str]:
    """The environment in which Python, requests and Go trust an authority of our own."""
    return {"SSL_CERT_FILE": str(authority), "REQUESTS_CA_BUNDLE": str(authority)}


def certify(folder: Path) -> None:
    """Makes an authority, `ca.pem`, and the certificate that it signed for 127.0.0.1, `server.pem` and `server.key`."""
    signing_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _name("canary-harness benchmark authority")
    root = _unsigned(authority, authority, signing_key)
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    server = _unsigned(_name("127.0.0.1"), authority, server_key)
    addresses = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    server = server.add_extension(x509.SubjectAlternativeName(addresses), critical=False)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    for builder, file in ((root, "ca.pem"), (server, "server.pem")):
        (folder / file).write_bytes(builder.sign(signing_key, hashes.SHA256()).public_bytes(pem))
    (folder / "server.key").write_bytes(server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _unsigned(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - day).not_valid_after(now + day)
