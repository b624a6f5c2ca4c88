"""The version of this package, which is that of the crate.

A constant, because reading it from the metadata of the installed package takes 20 ms.
"""

__version__ = "0.1.0"
