"""Route tests: files of requests and what must come back, and a private mesh that answers them.

    reading.read(paths)       [TestFile]: all that are meant, or InputError with every problem
    running.run(file)         FileResult: a private mesh, all requests, and what came of them
    preparing.prepare(file)   the same in two steps, ``run_prepared`` the second: what can be
                              refused is refused by the first
    PrivateMesh(objects)      a mesh to ask: ``with PrivateMesh(objects) as mesh:
                              mesh.ask(request)``
    LiveMesh                  the mesh that is up, asked in the same way
    writing.write             what comes back, written as what is expected

A file is read by ``reading`` (its shape: ``route-test.schema.json``, which editors use, too), its
rules get what they lack by ``made_up``, answers are judged by ``judging`` and verdicts, what failed
is explained by ``diagnosing``.
"""
