"""The live page: one dot for each answer that really came, the rules, the shares, the verdict.

``live`` owns the engine, in a thread of its own: it sends, counts and explains. ``scene`` says what
there is to draw. ``pages`` hands the news to whoever looks, ``door`` decides who may, and
``application`` and ``serving`` are HTTP. ``page.html`` is all of the page.
"""
