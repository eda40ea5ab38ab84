import { GantryError } from '../../domain/errors.ts';
import type { JsonObject } from '../../domain/plan.ts';
import type { FilterService } from '../../services/filters.ts';
import { visibilityFor } from '../../services/identifiers.ts';
import type { LabelService } from '../../services/label-lists.ts';
import { nothing, pageOf, paged, single, textSchema } from '../answer.ts';
import { envelope, listAnswer, parseList } from '../query.ts';
import { noContent, ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';
import { shapeOne } from '../shapes/field.ts';
import { filterShape } from '../shapes/filter.ts';
import { originOf, originProperties } from '../origin.ts';

const newFilterSchema = {
  type: 'object',
  required: ['filter_rules'],
  properties: { filter_rules: {}, visibility: { type: ['string', 'null'] }, ...originProperties },
};
const filterUpdateSchema = { type: 'object', properties: { filter_rules: {}, visibility: {} } };

const kinds = ['blueprints', 'deployments'] as const;

function routesOf(filters: FilterService, kind: (typeof kinds)[number]): Route[] {
  const idOf = ({ parameters }: ApiCall): string => parameters['filter_id'] ?? '';
  const one = `/filters/${kind}/:filter_id`;
  return [
    {
      method: 'get',
      path: `/filters/${kind}`,
      summary: `List filters of ${kind}`,
      access: { permission: 'filter_list', hasAllTenants: true },
      answer: pageOf(filterShape),
      handle: async ({ caller, query }) => {
        const parsed = parseList(query, filterShape, { search: { _search: 'id' }, takesFilters: false });
        return ok(listAnswer(parsed, await filters.list(caller, kind, parsed.query, parsed.isAllTenants)));
      },
    },
    {
      method: 'get',
      path: one,
      summary: `Get a filter of ${kind}`,
      access: { permission: 'filter_get' },
      answer: single(filterShape),
      handle: async (call) =>
        ok(shapeOne(filterShape, await filters.get(call.tenantCaller, kind, idOf(call)), call.query.include())),
    },
    {
      method: 'put',
      path: one,
      summary: `Create a filter of ${kind}`,
      access: { permission: 'filter_create' },
      body: newFilterSchema,
      answer: single(filterShape),
      handle: async (call) => {
        const body = call.body as JsonObject;
        const { filter_rules: rules = null, visibility } = body;
        const filter = await filters.create(call.tenantCaller, kind, idOf(call), {
          rules,
          visibility: visibilityFor(call.tenantCaller, {
            visibility: typeof visibility === 'string' ? visibility : undefined,
          }),
          origin: originOf(body),
        });
        return ok(shapeOne(filterShape, filter, call.query.include()));
      },
    },
    {
      method: 'patch',
      path: one,
      summary: `Change a filter of ${kind}`,
      access: { permission: 'filter_update' },
      body: filterUpdateSchema,
      answer: single(filterShape),
      handle: async (call) => {
        const { filter_rules: rules, visibility } = call.body as JsonObject;
        if (rules === undefined && visibility === undefined) {
          throw new GantryError(
            'illegal_action_error',
            'Update a filter request must include at least one parameter to update',
          );
        }
        const change = { rules, visibility: visibility ?? undefined };
        const filter = await filters.update(call.tenantCaller, kind, idOf(call), change);
        return ok(shapeOne(filterShape, filter, call.query.include()));
      },
    },
    {
      method: 'delete',
      path: one,
      summary: `Delete a filter of ${kind}`,
      access: { permission: 'filter_delete' },
      answer: nothing,
      handle: async (call) => {
        await filters.remove(call.tenantCaller, kind, idOf(call));
        return noContent;
      },
    },
  ];
}

async function listWords(labels: LabelService, kind: (typeof kinds)[number], call: ApiCall): Promise<unknown> {
  const { query } = call;
  const size = query.count('_size') ?? 1000;
  const offset = query.count('_offset') ?? 0;
  const { items, total } = await labels.list(call.tenantCaller, kind, {
    key: call.parameters['key'],
    search: query.one('_search'),
    all: query.flag('_get_all_results'),
    isReserved: query.flag('_reserved'),
    size,
    offset,
  });
  return envelope(items, { total, size, offset });
}

/** Routes of `/filters` and `/labels`. */
export function filterRoutes(filters: FilterService, labels: LabelService): Route[] {
  return kinds.flatMap((kind): Route[] => [
    ...routesOf(filters, kind),
    {
      method: 'get',
      path: `/labels/${kind}`,
      summary: `List the keys of labels of ${kind}`,
      access: { permission: 'labels_list' },
      query: ['_search', '_reserved', '_size', '_offset', '_get_all_results'],
      answer: paged(textSchema),
      handle: async (call) => ok(await listWords(labels, kind, call)),
    },
    {
      method: 'get',
      path: `/labels/${kind}/:key`,
      summary: `List the values of a label of ${kind}`,
      access: { permission: 'labels_list' },
      query: ['_search', '_size', '_offset', '_get_all_results'],
      answer: paged(textSchema),
      handle: async (call) => ok(await listWords(labels, kind, call)),
    },
  ]);
}
