"""What the unmodified Python REST client meets at a manager with TLS; prints one JSON object with what it saw."""

import json
import sys

import requests
from cloudify_rest_client import CloudifyClient
from cloudify_rest_client.exceptions import CloudifyClientError


def attempt(host, port, password, **options):
    """The edition, or the error that keeps the client from asking for it."""
    client = CloudifyClient(
        host=host, port=port, username='admin', password=password, tenant='default_tenant', **options
    )
    try:
        return client.manager.get_version()['edition']
    except requests.exceptions.RequestException as error:
        return type(error).__name__
    except CloudifyClientError as error:
        return '{0} {1}'.format(type(error).__name__, error.error_code)


if __name__ == '__main__':
    port, internal_port, plain_port, password, authority, stranger = sys.argv[1:]
    print(
        json.dumps(
            {
                'known authority': attempt('127.0.0.1', port, password, protocol='https', cert=authority),
                'port of agents': attempt('127.0.0.1', internal_port, password, protocol='https', cert=authority),
                'unknown authority': attempt('127.0.0.1', port, password, protocol='https', cert=stranger),
                'no authority': attempt('127.0.0.1', port, password, protocol='https'),
                'other host': attempt('localhost', port, password, protocol='https', cert=authority),
                'whatever comes': attempt('localhost', port, password, protocol='https', trust_all=True),
                'without TLS': attempt('127.0.0.1', plain_port, password, protocol='http'),
            }
        )
    )
