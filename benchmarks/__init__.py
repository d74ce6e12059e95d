"""
What mcsdns costs, measured: scripts that print Markdown tables, to run on a machine that does nothing else.

`queries`, `scale`, `watch` and `abuse` are the commands; `README.md` tells what they measure, and what came out.

Not here: tests. Nothing fails because it was slow.
"""
