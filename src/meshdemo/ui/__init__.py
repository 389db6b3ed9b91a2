"""The live page: one dot for each answer that really came, the rules, the shares, the verdict.

``live`` owns the engine, in a thread of its own: it sends, counts and explains. ``scene`` says what
there is to draw, ``changing`` what a page may change of the rules, ``presets`` which requests it
offers. ``pages`` hands the news to whoever looks, ``recording`` keeps it, ``door`` decides who may
look, and ``application`` and ``serving`` are HTTP. The folder ``page`` is the page itself.
"""
