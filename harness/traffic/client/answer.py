"""An answer, its body decoded only if somebody reads it."""

from harness.traffic.client.bodies import decoded
from harness.traffic.client.failures import NoAnswer


class HttpAnswer:
    """An answer: `status`, `headers` as sent, `length` of its body on the wire."""

    __slots__ = ("_chunks", "headers", "length", "status")

    def __init__(self, status: int, headers: dict[bytes, bytes], chunks: list[bytes], length: int) -> None:
        self.status = status
        self.headers = headers
        self.length = length
        self._chunks = chunks

    def header(self, name: bytes) -> str | None:
        """The value of a header, whatever the case of its name; the last one if it was sent twice."""
        folded = name.lower()
        value = self.headers.get(name) or self.headers.get(folded)
        if value is None:
            value = next((own for sent, own in self.headers.items() if sent.lower() == folded), None)
        return None if value is None else value.decode("latin-1")

    def body(self) -> bytes:
        """The decoded body; raises NoAnswer if it was too long to keep or cannot be decoded."""
        raw = b"".join(self._chunks)
        if len(raw) != self.length:
            raise NoAnswer(f"the body of {self.length} bytes was too long to keep")
        return decoded(raw, self.header(b"Content-Encoding") or "")
