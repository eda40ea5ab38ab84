import { expect } from 'chai';
import { coerceError, errorCatalogue, GantryError, notFound } from '../../../src/domain/errors.ts';
import { operationError, retryAfterOf } from '../../../src/domain/operation-error.ts';
import { isPermitted, permissions } from '../../../src/domain/permissions.ts';

describe('error catalogue', () => {
  it('holds only statuses that tell the client what to do', () => {
    for (const [code, { status }] of Object.entries(errorCatalogue)) {
      expect(status, code).to.be.oneOf([304, 400, 401, 403, 404, 405, 409, 413, 415, 429, 500, 503, 507]);
    }
  });

  it('gives an error the status of its code and keeps the cause', () => {
    const cause = new Error('deeper');
    const error = new GantryError('conflict_error', 'taken', { cause, details: { field: 'id' } });
    expect(error).to.include({ status: 409, message: 'taken', cause });
    expect(error.details).to.deep.equal({ field: 'id' });
  });

  it('says what was not found, with the words the clients look for', () => {
    expect(notFound('Deployment', 'x').message).to.equal('Requested `Deployment` with ID `x` was not found');
    expect(notFound('Node', 'n', { deployment_id: 'd' }).message).to.equal(
      "Requested `Node` with ID `n` was not found (filters: {'deployment_id': 'd'})",
    );
  });

  it('turns whatever was thrown into an Error', () => {
    const error = new Error('x');
    expect(coerceError(error)).to.equal(error);
    expect(coerceError('text').message).to.equal('text');
    expect(coerceError({ a: 1 }).message).to.equal('{"a":1}');
    expect(coerceError(undefined).message).to.equal('undefined');
  });
});

describe('operation errors', () => {
  it('carry retry_after as argument and in the text of a recoverable error, once', () => {
    const error = operationError({ kind: 'RecoverableError', message: 'busy', retryAfter: 5 });
    expect(error.message).to.equal('busy [retry_after=5]');
    expect(error.known_exception_type_args).to.deep.equal([5]);
    expect(operationError({ kind: 'RecoverableError', message: error.message, retryAfter: 5 }).message).to.equal(
      'busy [retry_after=5]',
    );
  });

  it('keep the type people know in the causes', () => {
    const error = operationError({ kind: 'NonRecoverableError', message: 'no', type: 'ValueError', traceback: 'tb' });
    expect(error.known_exception_type_kwargs.causes).to.deep.equal([
      { type: 'ValueError', message: 'no', traceback: 'tb' },
    ]);
  });

  for (const [value, seconds] of [
    [12, 12],
    ['12', 12],
    ['', undefined],
    ['soon', undefined],
    [-1, undefined],
    [null, undefined],
  ] as const) {
    it(`read retry_after ${JSON.stringify(value)} as ${seconds}`, () => {
      const error = operationError({ kind: 'OperationRetry', message: 'again' });
      expect(retryAfterOf({ ...error, known_exception_type_args: [value] })).to.equal(seconds);
    });
  }
});

describe('permission matrix', () => {
  it('lets a user upload and a viewer only look', () => {
    expect(isPermitted('blueprint_upload', ['user'], permissions)).to.equal(true);
    expect(isPermitted('blueprint_upload', ['viewer'], permissions)).to.equal(false);
    expect(isPermitted('blueprint_list', ['viewer'], permissions)).to.equal(true);
    expect(isPermitted('blueprint_list', [], permissions)).to.equal(false);
  });

  it('lets nobody do what it does not name', () => {
    expect(isPermitted('blueprint_list', ['sys_admin'], {})).to.equal(false);
  });
});
