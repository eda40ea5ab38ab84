import { GantryError } from '../../domain/errors.ts';
import type { JsonObject } from '../../domain/plan.ts';
import type { AgentService, NewAgentRequest } from '../../services/agents.ts';
import { visibilityFor } from '../../services/identifiers.ts';
import { json, pageOf, record, single } from '../answer.ts';
import { textMember } from '../body.ts';
import { originOf } from '../origin.ts';
import { listAnswer, parseList } from '../query.ts';
import { ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';
import { agentShape } from '../shapes/agent.ts';
import { shapeOne } from '../shapes/field.ts';

const optionalText = { type: ['string', 'null'] };
const newSchema = {
  type: 'object',
  required: ['node_instance_id', 'state', 'create_rabbitmq_user', 'install_method', 'rabbitmq_exchange'],
  properties: {
    node_instance_id: { type: 'string' },
    state: { type: 'string' },
    create_rabbitmq_user: { type: 'boolean' },
    install_method: { type: 'string', maxLength: 256 },
    rabbitmq_exchange: { type: 'string', minLength: 1, maxLength: 200 },
    ...Object.fromEntries(
      [
        ...['ip', 'system', 'version', 'rabbitmq_username', 'rabbitmq_password', 'visibility', 'created_at'],
        'created_by',
      ].map((name) => [name, optionalText]),
    ),
  },
};
const changeSchema = {
  type: 'object',
  properties: { state: optionalText, system: optionalText, version: optionalText },
};
const certificateSchema = {
  type: 'object',
  required: ['bundle'],
  properties: { bundle: { type: 'boolean' }, broker_ca_cert: optionalText, manager_ca_cert: optionalText },
};

function textOrNothing(body: JsonObject, name: string): string | undefined {
  const value = body[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function newAgent({ tenantCaller, parameters }: ApiCall, body: JsonObject): NewAgentRequest {
  return {
    name: parameters['name'] ?? '',
    nodeInstanceId: textMember(body, 'node_instance_id'),
    state: textMember(body, 'state'),
    needsAccount: body['create_rabbitmq_user'] === true,
    ip: textOrNothing(body, 'ip'),
    installMethod: textMember(body, 'install_method'),
    system: textOrNothing(body, 'system'),
    version: textOrNothing(body, 'version'),
    rabbitmqUsername: textOrNothing(body, 'rabbitmq_username'),
    rabbitmqPassword: textOrNothing(body, 'rabbitmq_password'),
    rabbitmqExchange: textMember(body, 'rabbitmq_exchange'),
    visibility: visibilityFor(tenantCaller, { visibility: textOrNothing(body, 'visibility') }),
    origin: originOf(body),
  };
}

/** Routes of `/agents`: what runs operations on hosts. */
export function agentRoutes(agents: AgentService): Route[] {
  const nameOf = ({ parameters }: ApiCall): string => parameters['name'] ?? '';
  return [
    {
      method: 'get',
      path: '/agents',
      summary: 'List agents',
      access: { permission: 'agent_list', hasAllTenants: true },
      query: ['_get_data'],
      answer: pageOf(agentShape),
      handle: async ({ caller, query }) => {
        const parsed = parseList(query, agentShape, { search: { _search: 'name' } });
        const page = await agents.list(caller, parsed.query, parsed.isAllTenants, query.flag('_get_data'));
        return ok(listAnswer(parsed, page));
      },
    },
    {
      method: 'patch',
      path: '/agents',
      summary: 'Give all agents new certificate authorities',
      access: { permission: 'agent_replace_certs', tenant: 'ignored' },
      body: certificateSchema,
      answer: json(record(undefined, { number_of_updated_agents: 'integer' })),
      handle: async ({ caller, body }) => {
        const given = body as JsonObject;
        const broker = textOrNothing(given, 'broker_ca_cert');
        const manager = textOrNothing(given, 'manager_ca_cert');
        if (broker === undefined && manager === undefined) {
          throw new GantryError('bad_parameters_error', 'Give broker_ca_cert, manager_ca_cert or both');
        }
        const count = await agents.replaceCertificates(caller, { broker, manager, isBundle: given['bundle'] === true });
        return ok({ number_of_updated_agents: count });
      },
    },
    {
      method: 'get',
      path: '/agents/:name',
      summary: 'Get an agent',
      access: { permission: 'agent_get' },
      answer: single(agentShape),
      handle: async (call) =>
        ok(shapeOne(agentShape, await agents.get(call.tenantCaller, nameOf(call)), call.query.include())),
    },
    {
      method: 'put',
      path: '/agents/:name',
      summary: 'Register an agent, with its account on the message broker',
      access: { permission: 'agent_create' },
      body: newSchema,
      answer: single(agentShape),
      handle: async (call) => {
        const agent = await agents.put(call.tenantCaller, newAgent(call, call.body as JsonObject));
        return ok(shapeOne(agentShape, agent));
      },
    },
    {
      method: 'patch',
      path: '/agents/:name',
      summary: 'Change the state of an agent',
      access: { permission: 'agent_update' },
      body: changeSchema,
      answer: single(agentShape),
      handle: async (call) => {
        const body = call.body as JsonObject;
        const agent = await agents.update(call.tenantCaller, nameOf(call), {
          state: textOrNothing(body, 'state'),
          system: textOrNothing(body, 'system'),
          version: textOrNothing(body, 'version'),
        });
        return ok(shapeOne(agentShape, agent));
      },
    },
  ];
}
