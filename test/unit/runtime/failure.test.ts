import { expect } from 'chai';
import { failureOf, ReportedFailure } from '../../../src/runtime/failure.ts';
import { NonRecoverableError, OperationRetry, RecoverableError } from '../../../src/runtime/sdk.ts';
import { SecretFilter } from '../../../src/runtime/session/secret-filter.ts';

class Foreign extends Error {
  override name = 'NonRecoverableError';
}
class Special extends NonRecoverableError {}
class Named extends RecoverableError {
  override readonly name = 'SomethingElse';
}

describe('Failures', () => {
  const cases: [string, unknown, string, string, unknown[], string][] = [
    ['an Error', new Error('x'), 'RecoverableError', 'x', [null], 'Error'],
    ['a TypeError', new TypeError('x'), 'RecoverableError', 'x', [null], 'TypeError'],
    ['text', 'just text', 'RecoverableError', 'just text', [null], 'Error'],
    ['undefined', undefined, 'RecoverableError', 'undefined', [null], 'Error'],
    ['no message', new RangeError(), 'RecoverableError', 'RangeError', [null], 'RangeError'],
    ['a NonRecoverableError', new NonRecoverableError('x'), 'NonRecoverableError', 'x', [], 'NonRecoverableError'],
    ['a subclass of one', new Special('x'), 'NonRecoverableError', 'x', [], 'NonRecoverableError'],
    ['one from another copy of the SDK', new Foreign('x'), 'NonRecoverableError', 'x', [], 'NonRecoverableError'],
    ['a delay', new Named('x', { retryAfter: 2 }), 'RecoverableError', 'x [retry_after=2]', [2], 'SomethingElse'],
    ['a wish', new OperationRetry('x', { retryAfter: 0 }), 'OperationRetry', 'x', [0], 'OperationRetry'],
  ];
  for (const [what, thrown, kind, message, args, type] of cases) {
    it(`describe ${what}`, () => {
      const failure = failureOf(thrown, new SecretFilter());
      expect(failure.known_exception_type).to.equal(kind);
      expect(failure.message).to.equal(message);
      expect(failure.known_exception_type_args).to.deep.equal(args);
      expect(failure.known_exception_type_kwargs.causes[0]?.type).to.equal(type);
    });
  }

  it('pass on what was described in another process', () => {
    const report = failureOf(new Error('there'), new SecretFilter());
    expect(failureOf(new ReportedFailure(report), new SecretFilter())).to.equal(report);
  });

  it('hold no secrets and are not endless', () => {
    const secrets = new SecretFilter();
    secrets.add(['hunter2']);
    const failure = failureOf(new Error(`hunter2 ${'x'.repeat(100_000)}`, { cause: new Error('hunter2') }), secrets);
    expect(JSON.stringify(failure)).to.not.include('hunter2');
    expect(failure.message).to.have.length.below(20_100);
  });
});
