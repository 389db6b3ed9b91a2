"""Route tests: files of requests and what must come back, and a private mesh that answers them.

    reading.read(paths) -> [TestFile]     all files that are meant, or InputError with every problem
    model                                 what such a file says

The fields are described in ``route-test.schema.json``, which editors and ``reading`` share.
"""
