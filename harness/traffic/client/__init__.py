"""An HTTP/1.1 client for load: requests are prepared once and sent as bytes, answers are parsed by llhttp.

    client.py       Client: one service and its idle connections; `prepare` and `send`
    address.py      what a service's address may look like
    prepared.py     Prepared: a request as bytes
    opening.py      Opener: resolves the host, connects, shakes hands
    proxies.py      the proxy that the environment names, and the tunnel through it
    tls.py          TLS between memory buffers, and what it trusts
    connection.py   Connection: a socket that wakes who waits for an answer
    parser.py       AnswerParser: from bytes to one HttpAnswer; knows no socket
    answer.py       HttpAnswer: status, headers, body
    bodies.py       gzip and deflate undone
    failures.py     NoAnswer, and the reasons for it in words

A connection is driven by its socket: the event loop reads and parses what arrives, and wakes the waiting greenlet when
the answer is whole. A request costs no object but its answer. One sweep ten times a second looks after all time limits.
"""
