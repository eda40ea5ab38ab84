"""Walks over every method of the unmodified Python REST client; prints one JSON object with what came of it."""

import json
import sys
import tempfile
import warnings

from cloudify_rest_client import CloudifyClient

from client_walk import administration, archives, resources, runs
from client_walk.walk import Walk, methods_of

SECTIONS = (
    *administration.SECTIONS,
    *resources.SECTIONS,
    *runs.SECTIONS,
    *administration.LAST_SECTIONS,
    *archives.SECTIONS,
)


if __name__ == '__main__':
    warnings.simplefilter('ignore')
    host, port, username, password, fixtures = sys.argv[1:]
    client = CloudifyClient(
        host=host, port=int(port), username=username, password=password, tenant='default_tenant'
    )
    walk = Walk(client)
    walk.fixtures = fixtures
    with tempfile.TemporaryDirectory() as folder:
        walk.folder = folder
        for section in SECTIONS:
            with walk.section(section.__name__):
                section(walk)
    print(json.dumps({
        'methods': methods_of(client), 'problems': walk.problems, 'interruptions': walk.interruptions,
    }))
