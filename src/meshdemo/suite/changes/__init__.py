"""What a change of rules changes for requests: the same ones are sent to both states.

states.py     the two states: files, a git revision, or what is applied now
probing.py    the requests: derived from the matches of both
samples.py    a text that fulfils a condition
behaviour.py  what becomes of a request in one state
telling.py    where that differs, in words
comparing.py  all of it
"""
