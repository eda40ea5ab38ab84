import { expect } from 'chai';
import { patientHost } from '../../../src/broker/patient-host.ts';
import { GantryError } from '../../../src/domain/errors.ts';
import type { OperationContext, OperationHost } from '../../../src/runtime/types.ts';

const context = {} as OperationContext;

/** A host whose secrets can be read once the failures are used up. */
function failing(...failures: Error[]): OperationHost {
  const getSecret = async (_context: OperationContext, key: string): Promise<string> => {
    const failure = failures.shift();
    if (failure) {
      throw failure;
    }
    return `value of ${key}`;
  };
  return { getSecret } as unknown as OperationHost;
}

async function refusalOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: Error) => error.message,
  );
}

describe('requests of operations to the manager', () => {
  const away = (): Error => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });

  it('are repeated while the database is away', async () => {
    expect(await patientHost(failing(away(), away())).getSecret(context, 'password')).to.equal('value of password');
  });

  it('are refused when the manager refuses them', async () => {
    const refusal = new GantryError('not_found_error', 'There is no such secret');
    expect(await refusalOf(patientHost(failing(refusal)).getSecret(context, 'password'))).to.equal(refusal.message);
  });

  it('fail when the database stays away', async () => {
    const host = patientHost(failing(...Array.from({ length: 100 }, away)), 200);
    expect(await refusalOf(host.getSecret(context, 'password'))).to.equal('read ECONNRESET');
  });
});
