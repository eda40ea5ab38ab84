"""The part of Cloudify's Python library that scripts of operations use: `ctx`, its inputs and its exceptions. It talks
to the process that runs the operation; plugins have the real library."""
from cloudify._context import ctx

__all__ = ['ctx']
