"""Lambda of the local cloud: functions, versions that freeze code and environment, weighted aliases, and real runs.

How a function says what it runs, in CreateFunction and UpdateFunctionCode:

    Code={"ZipFile": ...}, Handler="app.handler"    an uploaded zip of Python or Node code, in an environment of its own
    PackageType="Image", Code={"ImageUri": X}       where X is one of
        canary-harness:bundled      the project's own fake-user service, inside the cloud's process
        python:module:function      your own code, imported from the folder that the cloud was started in
        http://127.0.0.1:3000       your own service in any language, on loopback

A zip's code is frozen with its version; your own code is as it is on disk when its environment starts.
"""
