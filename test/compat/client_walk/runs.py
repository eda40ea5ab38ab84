"""Executions and what they leave, groups, schedules, agents, updates and changes of deployments."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from client_support import wait_for

from .administration import is_list_of
from .resources import ended, path_in, plugin_archive, succeeded
from .walk import check

UNUSED = '00000000-0000-4000-8000-00000000000'


def executions(walk):
    call = walk.call
    started = call('executions.start', 'walked', 'execute_operation', parameters={
        'operation': 'cloudify.interfaces.lifecycle.start', 'node_ids': ['listener'],
    }, expects={'workflow_id': 'execute_operation', 'deployment_id': 'walked', 'is_dry_run': False})
    succeeded(walk, started.id)
    call('executions.get', started.id, expects={'status': 'terminated', 'error': '', 'ended_at': str,
                                                'finished_operations': int, 'total_operations': int})
    call('executions.list', deployment_id='walked', expects=is_list_of(started.id))
    restored = call('executions.create', 'walked', 'install', force_status='failed', error='it broke',
                    execution_id=UNUSED + '1', created_at='2001-01-01T00:00:00.000Z',
                    started_at='2001-01-01T00:00:01.000Z', ended_at='2001-01-01T00:00:02.000Z', created_by='admin',
                    expects={'id': UNUSED + '1', 'status': 'failed', 'error': 'it broke'})
    call('executions.should_start', restored.id, expects=bool)
    call('executions.resume', restored.id, expects={'id': restored.id})
    succeeded(walk, restored.id)
    waiting = call('executions.create', 'walked', 'install', force_status='queued', execution_id=UNUSED + '2',
                   expects={'status': 'queued'})
    call('executions.cancel', waiting.id, expects=lambda answer: answer.status in ('cancelled', 'cancelling'))
    ended(walk, waiting.id)
    call('executions.create', 'walked', 'heal', force_status='failed', error='told so', execution_id=UNUSED + '4',
         expects={'status': 'failed'})
    walk.refused('executions.requeue', 400, UNUSED + '4')
    stored = call('executions.dump', execution_ids=[UNUSED + '4'], expects=is_list_of(UNUSED + '4'))
    call('executions.delete', to_datetime=datetime.datetime(2002, 1, 1), expects=int)
    walk.restore('executions.restore', [dict(stored[0], id=UNUSED + '5')])
    call('executions.get', UNUSED + '5', expects={'status': 'failed', 'error': 'told so'})
    walk.started = started.id


def graphs(walk):
    call = walk.call
    [graph] = call('tasks_graphs.list', walk.started, expects=lambda answer: len(answer) == 1)
    call('operations.list', graph_id=graph.id, expects=lambda answer: len(answer) > 0)
    operations = list(walk.client.operations.list(execution_id=walk.started))
    call('operations.get', operations[0].id, expects={'state': str, 'name': str, 'type': str})
    dumped = call('operations.dump', execution_ids=[walk.started], expects=lambda answer: len(answer) > 0)
    made = call('tasks_graphs.create', UNUSED + '5', 'walked', operations=[], expects={'name': 'walked'})
    call('operations.create', UNUSED + '6', made.id, 'greet', 'LocalWorkflowTask', {'info': None}, [],
         expects={'id': UNUSED + '6', 'name': 'greet', 'state': 'pending'})
    call('operations.update', UNUSED + '6', 'succeeded', result='done')
    call('operations.delete', UNUSED + '6')
    call('tasks_graphs.update', made.id, 'done', expects={'id': made.id})
    by_execution = {walk.started: [item['__entity'] for item in dumped]}
    [entity] = call('tasks_graphs.dump', execution_ids=[walk.started], operations=by_execution,
                    expects=lambda answer: len(answer[0]['__entity']['operations']) == len(dumped))
    entity = dict(entity['__entity'], id=UNUSED + '7')
    entity['operations'] = [dict(item, id=f'{UNUSED}{index}'[-36:-2] + f'{index + 20}')
                            for index, item in enumerate(entity['operations'])]
    walk.restore('tasks_graphs.restore', [entity], UNUSED + '5')
    check(len(walk.client.operations.list(graph_id=UNUSED + '7')), len(dumped))


def events(walk):
    call = walk.call
    call('events.list', execution_id=walk.started, include_logs=True, expects=lambda answer: len(answer) > 3)
    call('events.get', walk.started, expects=lambda answer: answer[1] == len(answer[0]) > 0, is_whole=False)
    call('events.create', execution_id=walk.started, manager_name='walked', events=[
        {'event_type': 'workflow_stage', 'message': {'text': 'walked by'}, 'context': {}},
    ], logs=[{'level': 'info', 'logger': 'walk', 'message': {'text': 'a line'}, 'context': {}}])
    call('events.list', execution_id=walk.started, message='walked by', expects=lambda answer: len(answer) == 1)
    dumped = call('events.dump', execution_ids=[walk.started], include_logs=True,
                  expects=lambda answer: len(answer) > 3)
    walk.restore('events.restore', [item['__entity'] for item in dumped if item['__entity'].get('logger') == 'walk'],
                 'executions', UNUSED + '5')
    call('events.list', execution_id=UNUSED + '5', include_logs=True, message='a line',
         expects=lambda answer: len(answer) == 1)
    call('events.delete', 'walked', include_logs=True, expects=lambda answer: answer.items[0] > 3)


def schedules(walk):
    call = walk.call
    since = datetime.datetime.utcnow() + datetime.timedelta(days=1)
    call('execution_schedules.create', 'nightly', 'walked', 'heal', since=since, recurrence='1 days', count=3,
         expects={'id': 'nightly', 'workflow_id': 'heal', 'enabled': True, 'next_occurrence': str})
    call('execution_schedules.get', 'nightly', 'walked', expects={'deployment_id': 'walked', 'rule': dict})
    call('execution_schedules.update', 'nightly', 'walked', enabled=False, slip=30,
         expects={'enabled': False, 'slip': 30})
    call('execution_schedules.list', expects=is_list_of('nightly'))
    stored = call('execution_schedules.dump', expects=is_list_of('nightly'))
    call('execution_schedules.delete', 'nightly', 'walked')
    stored[0]['rule']['rrule'] = 'RRULE:FREQ=DAILY;INTERVAL=1;COUNT=3'
    walk.restore('execution_schedules.restore', stored)
    call('execution_schedules.delete', 'nightly', 'walked')


def groups(walk):
    call = walk.call
    call('deployment_groups.put', 'fleet', blueprint_id='walked', default_inputs={'greeting': 'hey'},
         expects={'id': 'fleet', 'default_blueprint_id': 'walked', 'deployment_ids': []})
    call('deployment_groups.add_deployments', 'fleet', new_deployments=[{'id': 'ship'}],
         expects={'deployment_ids': ['ship']})
    [creation] = walk.client.execution_groups.list(deployment_group_id='fleet')
    for execution_id in walk.client.execution_groups.get(creation.id).execution_ids:
        succeeded(walk, execution_id)
    call('deployment_groups.get', 'fleet', expects={'deployment_ids': ['ship']})
    call('deployment_groups.list', expects=is_list_of('fleet'))
    started = call('execution_groups.start', 'fleet', 'install', concurrency=0,
                   expects={'workflow_id': 'install', 'deployment_group_id': 'fleet', 'concurrency': 0})
    call('execution_groups.get', started.id, expects={'id': started.id, 'execution_ids': list, 'status': str})
    call('execution_groups.list', expects=is_list_of(started.id, creation.id))
    call('execution_groups.set_target_group', started.id, success_group='fleet', expects={'id': started.id})
    [held] = walk.client.executions.list(_group_id=started.id)
    call('executions.update', held.id, 'failed', error='given up', expects={'status': 'failed', 'error': 'given up'})
    call('execution_groups.cancel', started.id, expects={'id': started.id})
    call('execution_groups.set_concurrency', started.id, 5, expects={'concurrency': 5})
    call('execution_groups.resume', started.id, expects={'id': started.id})
    group = wait_for('the group', lambda: (lambda found: found if found.status == 'terminated' else None)(
        walk.client.execution_groups.get(started.id)))
    stored = call('execution_groups.dump', [started.id], expects=lambda answer: len(answer) == 1)
    made = call('execution_groups.create', 'fleet', 'install', group.execution_ids, id=UNUSED + '8',
                created_at='2001-01-01T00:00:00.000Z', created_by='admin', expects={'id': UNUSED + '8'})
    walk.restore('execution_groups.restore', [dict(stored[0], id=UNUSED + '9')])
    call('execution_groups.get', UNUSED + '9', expects={'execution_ids': made['execution_ids']})
    dumped = call('deployment_groups.dump', expects=is_list_of('fleet'))
    call('deployment_groups.remove_deployments', 'fleet', ['ship'], expects={'deployment_ids': []})
    call('deployment_groups.delete', 'fleet')
    walk.restore('deployment_groups.restore', dumped)
    call('deployment_groups.get', 'fleet', expects={'deployment_ids': ['ship']})
    call('deployment_groups.delete', 'fleet')


def dependencies(walk):
    call = walk.call
    call('inter_deployment_dependencies.create', 'nodes.a', 'walked', target_deployment='ship',
         expects={'source_deployment_id': 'walked', 'target_deployment_id': 'ship'})
    call('inter_deployment_dependencies.create_many', 'walked',
         [{'dependency_creator': 'nodes.b', 'target_deployment': 'ship'}], is_whole=False, expects=lambda answer: len(answer) == 1)
    stored = call('inter_deployment_dependencies.dump', expects=lambda answer: len(answer) == 2)
    call('inter_deployment_dependencies.update_all', 'walked',
         [{'dependency_creator': 'nodes.c', 'target_deployment': 'ship'}], is_whole=False, expects=lambda answer: len(answer) == 1)
    call('inter_deployment_dependencies.list', source_deployment_id='walked',
         expects=lambda answer: [item.dependency_creator for item in answer] == ['nodes.c'])
    call('inter_deployment_dependencies.delete', 'nodes.c', 'walked', target_deployment='ship')
    walk.restore('inter_deployment_dependencies.restore', stored[:1])
    [restored] = walk.client.inter_deployment_dependencies.list()
    check(restored.id, stored[0]['_id'])
    walk.client.inter_deployment_dependencies.delete(restored.dependency_creator, 'walked', target_deployment='ship')


def modifications(walk):
    call = walk.call
    more = call('deployment_modifications.start', 'ship', nodes={'speaker': {'instances': 2}},
                expects={'status': 'started', 'deployment_id': 'ship'})
    check(len(more.node_instances.added_and_related) > 0, True)
    call('deployment_modifications.get', more.id, expects={'id': more.id, 'modified_nodes': dict})
    call('deployment_modifications.list', 'ship', expects=is_list_of(more.id))
    call('deployment_modifications.finish', more.id, expects={'status': 'finished'})
    less = walk.client.deployment_modifications.start('ship', nodes={'speaker': {'instances': 1}})
    call('deployment_modifications.rollback', less.id, expects={'status': 'rolledback'})


def updates(walk):
    call = walk.call
    made = call('deployment_updates.update_with_existing_blueprint', 'walked', inputs={'greeting': 'ahoy'},
                skip_reinstall=True, expects={'state': str, 'deployment_id': 'walked'})
    succeeded(walk, made.execution_id)
    call('deployment_updates.get', made.id, expects={'state': 'successful', 'new_inputs': {'greeting': 'ahoy'}})
    call('deployment_updates.list', deployment_id='walked', expects=is_list_of(made.id))
    stored = call('deployment_updates.dump', deployment_update_ids=[made.id], expects=is_list_of(made.id))
    call('deployment_updates.create', 'walked-by-hand', 'walked', state='updating', execution_id=made.execution_id,
         expects={'id': 'walked-by-hand', 'state': 'updating'})
    call('deployment_updates.set_attributes', 'walked-by-hand', state='successful')
    call('deployment_updates.get', 'walked-by-hand', expects={'state': 'successful'})
    call('deployment_updates.bulk_insert', [{'id': 'walked-in-bulk', 'deployment_id': 'walked', 'state': 'successful',
                                             'execution_id': made.execution_id}])
    call('deployment_updates.finalize_commit', made.id, expects={'id': made.id})
    walk.restore('deployment_updates.restore', [dict(stored[0], id='walked-again')])
    call('deployment_updates.get', 'walked-again', expects={'state': 'successful'})


def certificate():
    """A certificate that has signed itself, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, 'walked')])
    now = datetime.datetime.utcnow()
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=9))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def agents(walk):
    call = walk.call
    [instance] = walk.client.node_instances.list(deployment_id='walked', node_id='speaker')
    call('agents.create', 'agent_1', instance.id, state='started', create_rabbitmq_user=False, ip='10.0.0.5',
         install_method='remote', version='7.0.5', rabbitmq_exchange='agent_1', system='any linux',
         expects={'name': 'agent_1', 'state': 'started', 'ip': '10.0.0.5'})
    call('agents.get', 'agent_1', expects={'node_instance_id': instance.id, 'deployment_id': 'walked'})
    call('agents.update', 'agent_1', state='stopped', expects={'state': 'stopped'})
    call('agents.list', expects=is_list_of('agent_1'))
    [stored] = call('agents.dump', deployment_ids=['walked'], expects=lambda answer: len(answer) == 1)
    call('agents.replace_ca_certs', True, None, path_in(walk, 'ca.pem', certificate()),
         expects={'number_of_updated_agents': int})
    walk.restore('agents.restore', [dict(stored['__entity'], id='agent_2')])
    call('agents.get', 'agent_2', expects={'state': 'stopped'})


def plugin_updates(walk):
    call = walk.call
    plugin = walk.client.plugins.upload(plugin_archive(walk, '1.0.0'))
    path = path_in(walk, 'blueprint.yaml', b"""tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml, 'plugin:tools']
node_templates:
  tool:
    type: cloudify.nodes.Root
    interfaces: { cloudify.interfaces.lifecycle: { create: tools.use } }
""")
    walk.client.blueprints.upload(path, 'tools')
    walk.client.deployments.create('tools', 'tools', async_create=False)
    same = call('plugins_update.update_plugins', 'tools', expects={'state': 'no_changes_required'})
    newer = walk.client.plugins.upload(plugin_archive(walk, '1.1.0'))
    made = call('plugins_update.update_plugins', 'tools', all_to_minor=True,
                expects={'state': 'executing_workflow', 'deployments_per_tenant': {'default_tenant': ['tools']}})
    succeeded(walk, made.execution_id)
    call('plugins_update.get', made.id, expects={'state': 'successful', 'blueprint_id': 'tools'})
    walk.refused('plugins_update.finalize_plugins_update', 400, made.id)
    call('plugins_update.list', expects=is_list_of(same.id, made.id))
    call('plugins_update.inject', 'tools', state='failed', update_id='injected',
         expects={'id': 'injected', 'state': 'failed', 'execution_id': None})
    stored = call('plugins_update.dump', [made.id], expects=is_list_of(made.id))
    walk.restore('plugins_update.restore', [dict(stored[0], id='restored')])
    call('plugins_update.get', 'restored', expects={'state': 'successful', 'execution_id': made.execution_id})
    check(walk.client.plugins.get(newer.id).package_version, '1.1.0')
    walk.client.deployments.delete('tools')
    wait_for('the deletion', lambda: 'tools' not in [item.id for item in walk.client.deployments.list()])
    walk.client.blueprints.delete('tools')
    walk.client.plugins.delete(plugin.id)
    walk.client.plugins.delete(newer.id)


def summaries(walk):
    for part, field in (
        ('blueprints', 'tenant_name'), ('deployments', 'blueprint_id'), ('executions', 'status'),
        ('execution_schedules', 'deployment_id'), ('nodes', 'deployment_id'), ('node_instances', 'node_id'),
    ):
        is_empty = part == 'execution_schedules'
        walk.call(f'summary.{part}.get', field,
                  expects=lambda answer: len(answer) == 0 if is_empty else field in answer.items[0])


SECTIONS = (
    executions, graphs, schedules, groups, dependencies, modifications, updates, plugin_updates, agents, summaries,
    events,
)
