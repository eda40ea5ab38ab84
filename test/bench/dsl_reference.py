"""Measures the reference parser in its own process: one JSON line per task read from the command line.

Usage: dsl_reference.py TYPES_FOLDER TASK..., a task being parse:FILE or prepare:FILE.
"""
import json
import os
import resource
import sys
import time

from dsl_parser.import_resolver.default_import_resolver import DefaultImportResolver
from dsl_parser.parser import parse
from dsl_parser.tasks import prepare_deployment_plan


class TypesResolver(DefaultImportResolver):
    """Answers every import with the file of that name among the types."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def fetch_import(self, import_url, **_):
        path = os.path.join(self.folder, import_url.split('/')[-1])
        with open(path, encoding='utf-8') as source:
            return source.read()

    retrieve = fetch_import


def main(folder, tasks):
    for task in tasks:
        kind, path = task.split(':', 1)
        with open(path, encoding='utf-8') as source:
            text = source.read()
        start, wall = time.process_time(), time.perf_counter()
        plan = parse(text, resolver=TypesResolver(folder), dsl_location=path,
                     resources_base_path=os.path.dirname(path))
        counts = {'nodes': len(plan['nodes'])}
        if kind == 'prepare':
            start, wall = time.process_time(), time.perf_counter()
            prepared = prepare_deployment_plan(plan)
            counts['instances'] = len(prepared['node_instances'])
            counts['relationships'] = sum(len(item['relationships']) for item in prepared['node_instances'])
        print(json.dumps({
            'task': task,
            'processorSeconds': time.process_time() - start,
            'seconds': time.perf_counter() - wall,
            'peakRssMiB': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            **counts,
        }), flush=True)


main(sys.argv[1], sys.argv[2:])
