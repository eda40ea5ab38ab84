import { EventEmitter } from 'node:events';
import type { Request, Response } from 'express';
import { expect } from 'chai';
import { GantryError } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/log/logger.ts';
import { errorHandler } from '../../../src/rest/errors.ts';

interface Body {
  message: string;
  error_code: string;
  server_traceback: unknown;
}

function answerTo(thrown: unknown): { status: number; body: Body } {
  const request = Object.assign(new EventEmitter(), {
    method: 'PUT',
    path: '/api/v3.1/sites/s',
    complete: true,
    get: () => undefined,
  });
  const answer = { status: 0, body: {} as Body };
  const response = {
    headersSent: false,
    get: () => 'request-7',
    set: () => response,
    status: (status: number) => {
      answer.status = status;
      return response;
    },
    json: (body: Body) => {
      answer.body = body;
      return response;
    },
  };
  errorHandler(silentLogger)(thrown, request as unknown as Request, response as unknown as Response, () => undefined);
  return answer;
}

function databaseError(code: string): Error {
  const text = 'duplicate key value violates unique constraint "sites_name" insert into sites /srv/gantry/x.ts';
  return Object.assign(new Error(text), { code });
}

describe('answers to errors', () => {
  const cases: [string, unknown, number, string][] = [
    ['a refusal', new GantryError('illegal_action_error', 'no'), 400, 'illegal_action_error'],
    ['a key that another request took meanwhile', databaseError('23505'), 409, 'storage_error'],
    ['something that another request removed meanwhile', databaseError('23503'), 409, 'storage_error'],
    ['a value that does not fit a column', databaseError('22003'), 400, 'bad_parameters_error'],
    ['a lost database', databaseError('57P01'), 503, 'manager_unavailable'],
    ['a full disk', databaseError('ENOSPC'), 507, 'no_space_error'],
    ['a full disk of the database', databaseError('53100'), 507, 'no_space_error'],
    ['a file that is not there', databaseError('ENOENT'), 500, 'internal_server_error'],
    ['a defect', new TypeError('x of undefined at /srv/gantry/x.ts'), 500, 'internal_server_error'],
    ['something that is no error', 'text', 500, 'internal_server_error'],
  ];
  for (const [what, thrown, status, code] of cases) {
    it(`${what} is ${status} ${code}, without traceback`, () => {
      const { body, status: answered } = answerTo(thrown);
      expect([answered, body.error_code, body.server_traceback]).to.deep.equal([status, code, null]);
    });
  }

  it('contains no files or SQL, but the request id to find in the log', () => {
    for (const thrown of [databaseError('23505'), new TypeError('x of undefined at /srv/gantry/x.ts')]) {
      expect(answerTo(thrown).body.message).not.to.match(/srv|insert|constraint|undefined/);
    }
    expect(answerTo(new Error('x')).body.message).to.contain('request-7');
  });
});
