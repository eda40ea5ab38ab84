"""Tenants, people and rights, settings of the manager."""

import json
import os

from .walk import check


def is_list_of(*names):
    """Whether a list has items of these ids or names, whatever else it has."""
    return lambda answer: set(names) <= {item.get(key) for item in answer for key in ('id', 'name')}


def people(walk):
    call = walk.call
    call('tenants.create', 'walked', expects={'name': 'walked'})
    call('tenants.get', 'walked', expects={'name': 'walked', 'groups': (int, list, dict), 'users': (int, list, dict)})
    call('tenants.list', expects=is_list_of('walked', 'default_tenant'))
    call('users.create', 'ada', 'ada-secret-1', 'default', expects={'username': 'ada', 'role': 'default'})
    call('users.get', 'ada', expects={'username': 'ada', 'active': True})
    call('users.get_self', expects={'username': 'admin', 'role': 'sys_admin'})
    call('users.list', expects=lambda answer: {'ada', 'admin'} <= {user.username for user in answer})
    call('users.set_password', 'ada', 'ada-secret-2', expects={'username': 'ada'})
    call('users.set_role', 'ada', 'sys_admin', expects={'role': 'sys_admin'})
    call('users.set_role', 'ada', 'default', expects={'role': 'default'})
    call('users.deactivate', 'ada', expects={'active': False})
    call('users.activate', 'ada', expects={'active': True})
    walk.refused('users.unlock', 409, 'ada')
    call('users.set_show_getting_started', 'ada', False, expects={'show_getting_started': False})
    call('user_groups.create', 'makers', 'default', expects={'name': 'makers', 'role': 'default'})
    call('user_groups.get', 'makers', expects={'name': 'makers'})
    call('user_groups.list', expects=is_list_of('makers'))
    call('user_groups.add_user', 'ada', 'makers', expects={'name': 'makers'})
    call('user_groups.set_role', 'makers', 'sys_admin', expects={'role': 'sys_admin'})
    call('user_groups.set_role', 'makers', 'default', expects={'role': 'default'})
    call('tenants.add_user', 'ada', 'walked', 'viewer', expects={'name': 'walked'})
    call('tenants.update_user', 'ada', 'walked', 'operations', expects={'name': 'walked'})
    call('tenants.add_user_group', 'makers', 'walked', 'viewer', expects={'name': 'walked'})
    call('tenants.update_user_group', 'makers', 'walked', 'user', expects={'name': 'walked'})
    tenants = call('tenants.dump', expects=is_list_of('walked'))
    users = call('users.dump', expects=lambda answer: any(user['username'] == 'ada' for user in answer))
    groups = call('user_groups.dump', expects=is_list_of('makers'))
    check([group['tenants'] for group in groups], [{'walked': 'user'}])
    call('tenants.remove_user_group', 'makers', 'walked')
    call('tenants.remove_user', 'ada', 'walked')
    call('user_groups.remove_user', 'ada', 'makers')
    call('user_groups.delete', 'makers')
    call('users.delete', 'ada')
    call('tenants.delete', 'walked')
    walk.restore('tenants.restore', tenants)
    check(walk.restore('users.restore', users), [
        {'ada': {'direct': {'walked': 'operations'}, 'groups': {'walked': {'user': ['makers']}}}},
    ])
    check(walk.restore('user_groups.restore', groups), [{'makers': {'walked': 'user'}}])
    call('user_groups.delete', 'makers')
    call('users.delete', 'ada')
    call('tenants.delete', 'walked')


def rights(walk):
    call = walk.call
    call('permissions.list', expects=lambda answer: len(answer) > 100)
    call('permissions.list', role='viewer', expects=lambda answer: {item['role'] for item in answer} == {'viewer'})
    call('permissions.add', 'site_create', 'viewer')
    stored = call('permissions.dump', expects=lambda answer: {'role': 'viewer', 'permission': 'site_create'} in answer)
    call('permissions.delete', 'site_create', 'viewer')
    walk.restore('permissions.restore', stored)
    call('permissions.list', expects=lambda answer: {'role': 'viewer', 'permission': 'site_create'} in list(answer))
    call('permissions.delete', 'site_create', 'viewer')
    token = call('tokens.create', description='walked', expiration='+10h', expects={'description': 'walked'})
    call('tokens.get', token.id, expects={'id': token.id, 'username': 'admin'})
    call('tokens.list', expects=is_list_of(token.id))
    call('tokens.delete', token.id)


def secrets(walk):
    call = walk.call
    call('secrets.create', 'walked', 'value', expects={'key': 'walked', 'is_hidden_value': False})
    call('secrets.get', 'walked', expects={'value': 'value', 'visibility': 'tenant'})
    call('secrets.update', 'walked', 'other', expects={'key': 'walked'})
    call('secrets.list', expects=lambda answer: [item.key for item in answer] == ['walked'])
    call('secrets.list', filter_rules=[{'key': 'key', 'values': ['walk'], 'operator': 'contains', 'type': 'attribute'}],
         expects=lambda answer: len(answer) == 1)
    call('secrets.list', constraints={'valid_values': ['walked']}, expects=lambda answer: len(answer) == 1)
    call('secrets.export', expects=lambda answer: answer[0]['value'] == 'other')
    stored = call('secrets.dump', expects=lambda answer: answer[0]['key'] == 'walked' and 'created_at' in answer[0])
    call('secrets.delete', 'walked')
    walk.restore('secrets.restore', stored)
    call('secrets.get', 'walked', expects={'value': 'other'})
    call('secrets.import_secrets', [{'key': 'brought', 'value': 'in', 'visibility': 'tenant', 'is_hidden_value': True,
                                     'encrypted': False, 'tenant_name': 'default_tenant'}],
         expects={'colliding_secrets': {}, 'secrets_errors': {}})
    call('secrets.set_visibility', 'brought', 'global', expects={'visibility': 'global'})
    call('secrets.set_global', 'walked', expects={'visibility': 'global'})
    call('secrets.delete', 'walked')
    call('secrets.delete', 'brought')


def providers(walk):
    call = walk.call
    reach = {'url': 'http://127.0.0.1:1', 'token': 't', 'path': 'p'}
    call('secrets_providers.create', 'vault', 'vault', reach, expects={'name': 'vault', 'type': 'vault'})
    call('secrets_providers.get', 'vault', expects={'name': 'vault', 'visibility': 'tenant'})
    call('secrets_providers.list', expects=is_list_of('vault'))
    call('secrets_providers.update', 'vault', 'vault', dict(reach, token='u'), expects={'name': 'vault'})
    walk.refused('secrets_providers.check', 400, 'vault')
    stored = call('secrets_providers.dump', expects=is_list_of('vault'))
    check(stored[0]['connection_parameters'], dict(reach, token='u'))
    call('secrets_providers.delete', 'vault')
    walk.restore('secrets_providers.restore', stored)
    call('secrets_providers.delete', 'vault')


def places(walk):
    call = walk.call
    call('sites.create', 'north', location='34.05,-118.24', expects={'name': 'north', 'location': '34.05, -118.24'})
    call('sites.get', 'north', expects={'name': 'north'})
    call('sites.list', expects=is_list_of('north'))
    call('sites.update', 'north', location='1,2', new_name='south', expects={'name': 'south'})
    stored = call('sites.dump', expects=lambda answer: answer[0]['name'] == 'south')
    call('sites.delete', 'south')
    walk.restore('sites.restore', stored)
    call('sites.delete', 'south')


def filters(walk):
    call = walk.call
    rules = [{'key': 'walked', 'values': ['yes'], 'operator': 'any_of', 'type': 'label'}]
    for part in ('blueprints_filters', 'deployments_filters'):
        call(part + '.create', 'walked', rules, expects={'id': 'walked', 'value': rules})
        call(part + '.get', 'walked', expects={'id': 'walked', 'is_system_filter': False})
        call(part + '.update', 'walked', new_filter_rules=rules, new_visibility='global',
             expects={'visibility': 'global'})
        call(part + '.list', expects=is_list_of('walked'))
        stored = call(part + '.dump', expects=is_list_of('walked'))
        call(part + '.delete', 'walked')
        walk.restore(part + '.restore', stored)
        call(part + '.delete', 'walked')


def settings(walk):
    call = walk.call
    call('manager.get_status', expects={'status': 'OK', 'services': dict})
    call('manager.get_version', expects={'version': '7.0.5', 'edition': 'premium'})
    call('manager.get_config', expects=lambda answer: len(answer) > 5)
    call('manager.get_config', name='default_page_size', scope='rest', expects={'name': 'default_page_size'})
    call('manager.put_config', 'default_page_size', 900, expects={'value': 900})
    call('manager.put_config', 'default_page_size', 1000, expects={'value': 1000})
    context = call('manager.get_context', expects={'name': (str, type(None)), 'context': (dict, type(None))})
    if context['name'] is None:
        call('manager.create_context', 'walked', {'first': 1}, expects={'status': str})
    else:
        walk.refused('manager.create_context', 409, 'walked', {'first': 1})
    call('manager.update_context', 'walked', {'cloudify': {}}, expects={'status': str})
    call('manager.get_managers', expects=lambda answer: len(answer) >= 1)
    call('manager.add_manager', 'walked', '10.0.0.9', '10.0.0.9', '7.0.5', 'premium', 'linux', 'any',
         expects={'hostname': 'walked'})
    call('manager.update_manager', 'walked', 'node-id', False, expects={'hostname': 'walked'})
    call('manager.remove_manager', 'walked')
    call('manager.get_brokers', expects=lambda answer: len(answer) >= 1)
    call('manager.add_broker', 'walked', '10.0.0.8', expects={'name': 'walked'})
    call('manager.update_broker', 'walked', {'default': '10.0.0.7'}, expects={'name': 'walked'})
    call('manager.remove_broker', 'walked')
    call('manager.get_db_nodes', expects=lambda answer: len(answer) >= 0)
    call('manager.update_db_nodes', expects=lambda answer: len(answer) >= 1)
    call('cluster_status.get_status', expects={'status': str, 'services': dict})
    call('cluster_status.get_status', summary_format=True, expects={'status': str})
    call('idp.get', expects=lambda answer: answer in ('local', {'idp': 'local'}))
    walk.refused('ldap.set', 400, 'ldap://127.0.0.1:1', 'admin', 'secret')
    call('ldap.get_status', expects='disabled')
    call('license.check')
    path = os.path.join(walk.folder, 'license.yaml')
    with open(path, 'w', encoding='utf-8') as file:
        file.write('license: none\n')
    call('license.upload', path, expects={'expired': False})
    call('license.delete')
    call('license.list', expects=lambda answer: len(answer) <= 1)
    call('community_contacts.create', 'Ada', 'L', 'ada@example.org', '1', True, expects=str)


def audit_stream(walk):
    """The log as it is written: the one part of the client that is asynchronous."""
    walk.call('auditlog.async_client', is_whole=False, expects=lambda answer: answer.host == walk.client.host)
    answer = walk.call('auditlog.stream', since='2000-01-01T00:00:00.000Z', is_whole=False,
                       expects=lambda answer: answer.status == 200)
    line = walk.loop.run_until_complete(answer.content.readline())
    check(json.loads(line), {'ref_table': str, 'operation': str})
    answer.close()
    walk.call('auditlog.close')


def maintenance(walk):
    call = walk.call
    call('maintenance_mode.status', expects={'status': 'deactivated'})
    call('maintenance_mode.activate', expects=lambda answer: answer.status in ('activating', 'activated'))
    call('maintenance_mode.deactivate', expects={'status': 'deactivated'})


def audit(walk):
    call = walk.call
    call('auditlog.list', size=3, expects=lambda answer: len(answer) == 3)
    call('auditlog.delete', before='2002-01-01T00:00:00.000Z', expects=lambda answer: answer.deleted == 0)


SECTIONS = (people, rights, secrets, providers, places, filters, settings, audit, audit_stream)
LAST_SECTIONS = (maintenance,)
