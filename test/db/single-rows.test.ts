import { expect } from 'chai';
import { JsonText } from '../../src/domain/json-text.ts';
import type { JsonObject } from '../../src/domain/plan.ts';
import type { Database } from '../../src/store/database.ts';
import { changeDeployment, deleteDeployment, getDeployment } from '../../src/store/deployments.ts';
import type { Scope } from '../../src/store/scope.ts';
import type { TestDatabase } from '../kit/database.ts';
import { createTestDatabase } from '../kit/database.ts';
import { addDeployment, everything } from './samples.ts';

describe('single rows whose documents are texts', function () {
  this.timeout(60_000);

  let test: TestDatabase;
  let database: Database;

  before(async () => {
    test = await createTestDatabase();
    database = test.database;
  });
  after(() => test.close());

  const inputsOf = async (id: string, scope: Scope = everything): Promise<JsonObject> => {
    const { inputs } = await getDeployment(database, scope, id, { fields: ['inputs'], areDocumentsText: true });
    expect(inputs).to.be.instanceOf(JsonText);
    return JSON.parse((inputs as unknown as JsonText).text) as JsonObject;
  };
  const setInputs = (storageId: number, inputs: JsonObject): Promise<void> =>
    changeDeployment(database, storageId, { inputs });

  it('have the documents they have now, however often they were read before', async () => {
    const { id, storageId } = await addDeployment(database);
    for (const step of [1, 2, 3]) {
      await setInputs(storageId, { step });
      expect(await inputsOf(id)).to.deep.equal({ step });
      expect(await inputsOf(id)).to.deep.equal({ step });
    }
    await database.transaction(async (transaction) => {
      await changeDeployment(transaction, storageId, { inputs: { step: 4 } });
      await changeDeployment(transaction, storageId, { inputs: { step: 5 } });
      expect(await inputsOf(id)).to.deep.equal({ step: 3 });
    });
    expect(await inputsOf(id)).to.deep.equal({ step: 5 });
  });

  it('are not taken for a row of the same id that came later, nor for one of another tenant', async () => {
    const [first, other] = [await addDeployment(database), await addDeployment(database)];
    await setInputs(first.storageId, { of: 'first' });
    await setInputs(other.storageId, { of: 'other' });
    expect(await inputsOf(first.id)).to.deep.equal({ of: 'first' });
    expect(await inputsOf(other.id)).to.deep.equal({ of: 'other' });
    await deleteDeployment(database, first.storageId);
    await database.query('update deployments set id = $1 where storage_id = $2', [first.id, other.storageId]);
    expect(await inputsOf(first.id)).to.deep.equal({ of: 'other' });
    const elsewhere = await inputsOf(first.id, { tenantId: 7 }).catch((error: unknown) => String(error));
    expect(elsewhere).to.contain('not found');
  });

  it('are read without any document, too', async () => {
    const { id } = await addDeployment(database);
    const options = { fields: ['displayName', 'labels'], areDocumentsText: true };
    const found = await getDeployment(database, everything, id, options);
    expect([found.id, found.displayName, found.inputs]).to.deep.equal([id, id, undefined]);
  });

  it('are read again where a document was removed', async () => {
    const { id, storageId } = await addDeployment(database);
    await setInputs(storageId, { of: 'old' });
    expect(await inputsOf(id)).to.deep.equal({ of: 'old' });
    await database.query('update deployments set inputs = null where storage_id = $1', [storageId]);
    const { inputs } = await getDeployment(database, everything, id, { fields: ['inputs'], areDocumentsText: true });
    expect(inputs ?? undefined).to.equal(undefined);
  });
});
