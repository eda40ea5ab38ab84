import { expect } from 'chai';
import fc from 'fast-check';
import type { Execution } from '../../../src/domain/entities.ts';
import { GantryError } from '../../../src/domain/errors.ts';
import { checkBody } from '../../../src/rest/body.ts';
import { parseList, QueryValues, readBoolean } from '../../../src/rest/query.ts';
import { executionShape } from '../../../src/rest/shapes/execution.ts';
import { project, selectFields } from '../../../src/rest/shapes/field.ts';
import { readTime } from '../../../src/domain/read-time.ts';

describe('the query language', () => {
  it('turns wire names into fields of the store', () => {
    const values = new QueryValues(
      '_include=id,status&_sort=-created_at&_sort=workflow_id&_size=5&_offset=10&status=started&status=failed&_unknown=1',
    );
    const { query } = parseList(values, executionShape);
    expect(query).to.deep.equal({
      size: 5,
      offset: 10,
      all: false,
      sort: [
        { field: 'createdAt', descending: true },
        { field: 'workflowId', descending: false },
      ],
      // who asks for what is started also gets what is paused
      filters: { status: ['started', 'paused', 'failed'] },
      fields: ['id', 'status'],
    });
  });

  it('does not treat parts of a search as filters', () => {
    const { query } = parseList(new QueryValues('_search=%25_&id=x'), executionShape, {
      search: { _search: 'id' },
      takesFilters: false,
    });
    expect(query.search).to.deep.equal({ id: '%_' });
    expect(query.filters).to.deep.equal({});
  });

  for (const text of ['true', 'TRUE', 'True']) {
    it(`takes ${text} for true`, () => expect(readBoolean(text, 'x')).to.equal(true));
  }

  it('never throws anything but a refusal', () => {
    const piece = fc.oneof(
      fc.constantFrom('_sort', '_include', '_size', '_offset', 'id', '=', '&', '-', 'status', 'true', '%', ','),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          parseList(new QueryValues(pieces.join('')), executionShape);
        } catch (error) {
          return error instanceof GantryError;
        }
        return true;
      }),
    );
  });
});

describe('resources on the wire', () => {
  const execution = {
    id: 'e',
    status: 'terminated',
    createdAt: new Date(Date.UTC(2024, 0, 2, 3, 4, 5)),
    visibility: 'private',
    parameters: {},
  } as unknown as Execution;

  it('have null for what is absent, 0 for missing integers, and times with three digits', () => {
    const shaped = project(executionShape.fields, execution);
    expect(shaped).to.include({
      created_at: '2024-01-02T03:04:05.000Z',
      total_operations: 0,
      error: null,
      status_display: 'completed',
      private_resource: true,
      resource_availability: 'private',
    });
  });

  it('accept retired members without giving them', () => {
    const fields = selectFields(executionShape, ['id', 'parameters_p']);
    expect(project(fields, execution)).to.deep.equal({ id: 'e' });
  });
});

describe('bodies', () => {
  const schema = {
    type: 'object',
    required: ['name'],
    properties: { name: { type: 'string' }, inner: { type: 'object', required: ['deep'] }, list: { type: 'array' } },
  };
  const cases: [unknown, RegExp][] = [
    [{}, /^Missing name in json request body$/],
    [{ name: 1 }, /^name parameter is expected to be of type str but is of type int$/],
    [{ name: null }, /is of type NoneType/],
    [{ name: 'x', list: {} }, /^list parameter is expected to be of type list but is of type dict$/],
    [{ name: 'x', inner: {} }, /^Missing deep in inner$/],
    [[], /expected to be of type dict but is of type list/],
    [null, /is of type NoneType/],
  ];
  for (const [body, message] of cases) {
    it(`refuses ${JSON.stringify(body)}`, () => {
      expect(() => checkBody(schema, body)).to.throw(GantryError, message);
    });
  }
});

describe('times', () => {
  const cases: [string, string][] = [
    ['2024-01-02', '2024-01-02T00:00:00.000Z'],
    ['2024-01-02T03:04:05', '2024-01-02T03:04:05.000Z'],
    ['2024-01-02 03:04:05.678', '2024-01-02T03:04:05.678Z'],
    ['2024-01-02T03:04:05.678901Z', '2024-01-02T03:04:05.678Z'],
    ['2024-01-02T03:04:05+02:00', '2024-01-02T01:04:05.000Z'],
  ];
  for (const [text, expected] of cases) {
    it(`reads ${text}`, () => expect(readTime(text, 'x').toISOString()).to.equal(expected));
  }
  it('refuses invalid times', () =>
    expect(() => readTime('soon', 'x')).to.throw(GantryError, /not a legal time format/));
});
