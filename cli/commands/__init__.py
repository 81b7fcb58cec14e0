"""One module per command, with its options.

Slow imports are inside of functions, because `upcall --help` imports all of these modules. Commands that end
within a second or two disable the garbage collector, which would take a fifth of that time.
"""
