"""Drives a manager through the unmodified Python REST client; prints one JSON object with what it saw."""

import json
import os
import sys
import tempfile

from cloudify_rest_client import CloudifyClient

from client_support import refusal, wait_for


def run(client, blueprint_path):
    seen = {}
    seen['status'] = client.manager.get_status()['status']
    seen['edition'] = client.manager.get_version()['edition']
    validation = client.blueprints.validate(blueprint_path, 'checked')
    wait_for(
        'the validation',
        lambda: client.executions.get(validation['upload_execution']['id']).status == 'terminated',
    )
    seen['validated'] = refusal(client.blueprints.get, 'checked')
    client.blueprints.upload(blueprint_path, 'py', async_upload=True)
    wait_for('the upload', lambda: client.blueprints.get('py')['state'] == 'uploaded')
    seen['blueprints'] = [item.id for item in client.blueprints.list(_include=['id', 'state'])]
    seen['filtered'] = [item.id for item in client.blueprints.list(id='nothing')]
    deployment = client.deployments.create('py', 'py', inputs={}, async_create=False)
    seen['deployment'] = deployment.id
    seen['workflows'] = sorted(workflow['name'] for workflow in client.deployments.get('py').workflows)
    execution = client.executions.start('py', 'install')
    ended = wait_for(
        'the installation',
        lambda: (lambda found: found if found.status in ('terminated', 'failed', 'cancelled') else None)(
            client.executions.get(execution.id)
        ),
    )
    seen['install'] = [ended.status, ended.error or '', ended.total_operations == ended.finished_operations]
    seen['instances'] = sorted(
        [item.node_id, item.state] for item in client.node_instances.list(deployment_id='py')
    )
    seen['nodes'] = sorted(item.id for item in client.nodes.list(deployment_id='py'))
    seen['outputs'] = client.deployments.outputs.get('py')['outputs']
    events = client.events.list(execution_id=execution.id, include_logs=True, _size=1000)
    seen['event_types'] = sorted({item['event_type'] for item in events if item['type'] == 'cloudify_event'})
    seen['paging'] = [
        len(client.node_instances.list(_size=1, _offset=0).items),
        client.node_instances.list(_size=1).metadata.pagination.total,
    ]
    instance = client.node_instances.list(deployment_id='py')[0]
    updated = client.node_instances.update(
        instance.id, version=instance.version, runtime_properties=dict(instance.runtime_properties, note='hello')
    )
    seen['update'] = [updated.runtime_properties['note'], updated.version > instance.version]
    seen['refusals'] = {
        'conflict': refusal(
            client.node_instances.update, instance.id, version=0, runtime_properties={'note': 'old'}
        ),
        'missing deployment': refusal(client.deployments.get, 'nothing'),
        'missing input': refusal(client.deployments.create, 'py', 'py2', inputs={'no such': 1}),
        'duplicate': refusal(client.deployments.create, 'py', 'py'),
        'bad workflow': refusal(client.executions.start, 'py', 'no-such-workflow'),
        'bad parameter': refusal(client.executions.start, 'py', 'install', parameters={'no_such': 1}),
        'bad include': refusal(client.deployments.list, _include=['no_such']),
        'in use': refusal(client.blueprints.delete, 'py'),
        'live nodes': refusal(client.deployments.delete, 'py'),
    }
    client.secrets.create('py_secret', 'value')
    seen['secret'] = client.secrets.get('py_secret').value
    client.secrets.delete('py_secret')
    token = client.tokens.create(description='py', expiration='+10h')
    seen['token'] = CloudifyClient(
        host=client._client.host, port=client._client.port, token=token.value, tenant='default_tenant'
    ).manager.get_status()['status']
    client.tokens.delete(token.id)
    execution = client.executions.start('py', 'uninstall')
    wait_for('the uninstallation', lambda: client.executions.get(execution.id).status == 'terminated')
    client.deployments.delete('py')
    wait_for('the deletion', lambda: not [item for item in client.deployments.list() if item.id == 'py'])
    with tempfile.TemporaryDirectory() as folder:
        path = client.blueprints.download('py', output_file=os.path.join(folder, 'py.tar.gz'))
        seen['download'] = os.path.getsize(path) > 100
    client.blueprints.delete('py')
    seen['left'] = [item.id for item in client.blueprints.list()]
    return seen


if __name__ == '__main__':
    host, port, username, password, path = sys.argv[1:]
    manager = CloudifyClient(
        host=host, port=int(port), username=username, password=password, tenant='default_tenant'
    )
    print(json.dumps(run(manager, path)))
