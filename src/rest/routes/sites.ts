import type { JsonObject } from '../../domain/plan.ts';
import type { Site } from '../../domain/resources.ts';
import { visibilityFor } from '../../services/identifiers.ts';
import type { SiteService } from '../../services/sites.ts';
import { nothing, pageOf, single } from '../answer.ts';
import { originOf } from '../origin.ts';
import { listAnswer, parseList } from '../query.ts';
import { noContent, ok } from '../route.ts';
import type { Answer, ApiCall, Route } from '../route.ts';
import { commonFields, fieldsOf, shapeOne, visibilities } from '../shapes/field.ts';
import type { Shape } from '../shapes/field.ts';

const { text, number, timestamp, computed } = fieldsOf<Site>();

function locationOf({ latitude, longitude }: Site): string | undefined {
  return latitude === undefined || longitude === undefined ? undefined : `${latitude}, ${longitude}`;
}

const siteShape: Shape<Site> = {
  kind: 'Site',
  fields: [
    timestamp('created_at', 'createdAt'),
    text('visibility', 'visibility', { values: visibilities }),
    text('name', 'id'),
    number('latitude', 'latitude'),
    number('longitude', 'longitude'),
    ...commonFields<Site>(),
    computed('location', ['latitude', 'longitude'], locationOf, 'text'),
  ],
};

const siteSchema = {
  type: 'object',
  properties: {
    location: { type: ['string', 'null'] },
    visibility: { type: ['string', 'null'] },
    new_name: { type: ['string', 'null'] },
    created_at: { type: ['string', 'null'] },
    created_by: { type: ['string', 'null'] },
  },
};

/** Routes of `/sites`. */
export function siteRoutes(sites: SiteService): Route[] {
  const nameOf = ({ parameters }: ApiCall): string => parameters['name'] ?? '';
  const given = (body: JsonObject, name: string): string | undefined =>
    typeof body[name] === 'string' ? body[name] : undefined;
  const show = async (call: ApiCall, name = nameOf(call)): Promise<Answer> =>
    ok(shapeOne(siteShape, await sites.get(call.tenantCaller, name), call.query.include()));
  return [
    {
      method: 'get',
      path: '/sites',
      summary: 'List sites',
      access: { permission: 'site_list', hasAllTenants: true },
      answer: pageOf(siteShape),
      handle: async ({ caller, query }) => {
        const parsed = parseList(query, siteShape, { search: { _search: 'id' } });
        return ok(listAnswer(parsed, await sites.list(caller, parsed.query, parsed.isAllTenants)));
      },
    },
    {
      method: 'get',
      path: '/sites/:name',
      summary: 'Get a site',
      access: { permission: 'site_get' },
      answer: single(siteShape),
      handle: (call) => show(call),
    },
    {
      method: 'put',
      path: '/sites/:name',
      summary: 'Create a site',
      access: { permission: 'site_create' },
      body: siteSchema,
      isBodyOptional: true,
      answer: single(siteShape),
      handle: async (call) => {
        const body = call.body as JsonObject;
        const visibility = visibilityFor(call.tenantCaller, { visibility: given(body, 'visibility') });
        const site = await sites.create(call.tenantCaller, {
          name: nameOf(call),
          location: given(body, 'location'),
          visibility,
          origin: originOf(body),
        });
        return ok(shapeOne(siteShape, site, call.query.include()));
      },
      replay: (call) => show(call),
    },
    {
      method: 'post',
      path: '/sites/:name',
      summary: 'Change a site',
      access: { permission: 'site_update' },
      body: siteSchema,
      answer: single(siteShape),
      handle: async (call) => {
        const body = call.body as JsonObject;
        const site = await sites.update(call.tenantCaller, nameOf(call), {
          location: given(body, 'location'),
          newName: given(body, 'new_name'),
          visibility: given(body, 'visibility'),
        });
        return ok(shapeOne(siteShape, site, call.query.include()));
      },
      replay: (call) => show(call, given(call.body as JsonObject, 'new_name')),
    },
    {
      method: 'delete',
      path: '/sites/:name',
      summary: 'Delete a site; its deployments then have none',
      access: { permission: 'site_delete' },
      answer: nothing,
      handle: async (call) => {
        await sites.remove(call.tenantCaller, nameOf(call));
        return noContent;
      },
      replay: () => noContent,
    },
  ];
}
