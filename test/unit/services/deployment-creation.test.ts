import { expect } from 'chai';
import type { Deployment, Execution } from '../../../src/domain/entities.ts';
import { GantryError } from '../../../src/domain/errors.ts';
import type { ServiceDependencies } from '../../../src/services/dependencies.ts';
import { waitForCreation } from '../../../src/services/deployment-creation.ts';

const deployment = { id: 'd', createExecutionId: 'e' } as Deployment;

/** What somebody hears who waited for a creation that is like this when he stops waiting. */
async function outcome(execution: Partial<Execution> | undefined): Promise<string> {
  let waited = 0;
  const waiter = {
    waitUntilEnded: (_id: string, timeout: number) => {
      waited = timeout;
      return Promise.resolve(execution as Execution | undefined);
    },
  };
  try {
    await waitForCreation({ waiter } as unknown as ServiceDependencies, deployment, new AbortController().signal);
    return 'created';
  } catch (error) {
    expect(error).to.be.instanceOf(GantryError);
    const { code, message, status } = error as GantryError;
    expect([status, waited], 'clients wait 300 seconds').to.deep.equal([400, 120_000]);
    return `${code}: ${message}`;
  }
}

describe('waiting for the creation of a deployment', () => {
  it('ends with the deployment', async () => {
    expect(await outcome({ id: 'e', status: 'terminated' })).to.equal('created');
    expect(await outcome(undefined), 'its execution was deleted').to.equal('created');
  });

  it('tells the last line of the error when it failed', async () => {
    const error = 'Traceback\n  somewhere\nNo such secret: key\n';
    expect(await outcome({ id: 'e', status: 'failed', error })).to.equal(
      'deployment_creation_error: No such secret: key',
    );
  });

  for (const status of ['pending', 'queued', 'started', 'cancelled'] as const) {
    it(`says when it is still, or only, ${status}`, async () => {
      expect(await outcome({ id: 'e', status })).to.match(
        new RegExp(`^deployment_environment_creation_in_progress_error: .* d .* e is ${status}$`),
      );
    });
  }
});
