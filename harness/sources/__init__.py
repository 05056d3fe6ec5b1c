"""Where requests come from: what others have written about an API, as drafts of requests, and an experiment of them.

    drafts.py        a draft of a request, and all that a source says of an API
    files.py         a source's file as text or as plain values, or one sentence about what is wrong with it
    openapi.py       OpenAPI 3 and Swagger 2; schemas.py makes values up, references.py follows $ref
    har.py           recordings of browsers and proxies
    postman.py       collections
    access_log.py    lines of API Gateway, ALB, CloudFront and nginx; log_times.py reads their times
    mix.py           what was seen many times, as few requests with their weights and a feed
    credentials.py   what a recording must not give away, as placeholders
    experiment.py    drafts as the text of an experiment that our parser takes
    companions.py    a CI job and a locustfile that go with it

Everything here is pure: bytes in, values or text out. It is a room of its own above `core`, as templates are, because
these formats are other people's: an experiment does not know them. Rooms that fetch such a document read it here, too.
"""
