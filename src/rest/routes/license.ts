import { randomUUID } from 'node:crypto';
import { GantryError } from '../../domain/errors.ts';
import type { JsonObject } from '../../domain/plan.ts';
import { json, list, nothing, paged, record, textSchema } from '../answer.ts';
import { noContent, ok } from '../route.ts';
import type { Route } from '../route.ts';
import { wholeList } from '../whole-list.ts';

const everybody = { tenant: 'optional' } as const;
const systemOnly = { tenant: 'ignored' } as const;

/** What clients that ask for a licence are told: this manager needs none. */
const license = {
  customer_id: 'open-source',
  expiration_date: null,
  license_edition: 'Open source',
  trial: false,
  cloudify_version: null,
  capabilities: [],
  expired: false,
};

const licenseSchema = record('License', {
  customer_id: 'text',
  expiration_date: 'timestamp',
  license_edition: 'text',
  trial: 'boolean',
  cloudify_version: 'text',
  capabilities: list(textSchema),
  expired: 'boolean',
});

const customerSchema = { type: 'object', required: ['customer_id'], properties: { customer_id: { type: 'string' } } };
const contactTexts = ['first_name', 'last_name', 'email'];
const contactSchema = {
  type: 'object',
  required: [...contactTexts, 'is_eula'],
  properties: {
    ...Object.fromEntries(contactTexts.map((name) => [name, { type: 'string', minLength: 1, maxLength: 256 }])),
    phone: { type: ['string', 'null'] },
    is_eula: { type: 'boolean' },
  },
};

/** Routes about licences, which this manager accepts and does not need, and about registering, which it keeps to itself. */
export function licenseRoutes(): Route[] {
  return [
    {
      method: 'get',
      path: '/license',
      summary: 'The licence',
      access: { ...everybody, permission: 'license_list' },
      isMaintenance: true,
      answer: paged(licenseSchema),
      handle: ({ query }) => ok(wholeList(query, [license])),
    },
    {
      method: 'put',
      path: '/license',
      summary: 'Accept a licence (no effect)',
      access: { ...everybody, permission: 'license_upload' },
      isMaintenance: true,
      answer: json(licenseSchema),
      handle: ({ request }) => {
        request.resume();
        return ok(license);
      },
    },
    {
      method: 'post',
      path: '/license',
      summary: 'Accept a customer id (no effect)',
      access: { ...everybody, permission: 'license_upload' },
      body: customerSchema,
      isMaintenance: true,
      answer: json(licenseSchema),
      handle: () => ok(license),
    },
    {
      method: 'delete',
      path: '/license',
      summary: 'Remove the licence (no effect)',
      access: { ...everybody, permission: 'license_remove' },
      isMaintenance: true,
      answer: nothing,
      handle: () => noContent,
    },
    {
      method: 'get',
      path: '/license-check',
      summary: 'Whether the licence is valid',
      access: everybody,
      isMaintenance: true,
      answer: json(textSchema),
      handle: () => ok('OK'),
    },
    {
      method: 'post',
      path: '/contacts',
      summary: 'Accept a registration (no effect)',
      access: { ...systemOnly, permission: 'community_contact_create' },
      body: contactSchema,
      answer: json(record(undefined, { customer_id: textSchema })),
      handle: ({ body }) => {
        if ((body as JsonObject)['is_eula'] !== true) {
          throw new GantryError('bad_parameters_error', 'The licence agreement must be accepted (is_eula)');
        }
        return ok({ customer_id: `local-${randomUUID()}` });
      },
    },
  ];
}
