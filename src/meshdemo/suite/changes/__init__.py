"""What a change of rules changes for requests: the same ones are sent to both states.

states.py     the two states: files, a git revision, or what is applied now
meaning.py    the spec of an object without what makes no difference
differing.py  where the specs of both differ
probing.py    the requests: derived from the matches of both
contexts.py   what they have beside their paths
samples.py    texts that fulfil a condition
behaviour.py  what becomes of a request in one state
telling.py    where that differs, in words
unseen.py     where the specs differ, and no request tells how
comparing.py  all of it
"""
