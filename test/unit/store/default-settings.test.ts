import { Ajv } from 'ajv';
import { expect } from 'chai';
import { defaultSettings } from '../../../src/store/default-settings.ts';

describe('the settings of a new manager', () => {
  const ajv = new Ajv({ strict: true, allowUnionTypes: true });

  for (const { scope, name, value, schema } of defaultSettings) {
    it(`${scope}.${name} has a value that its own schema accepts`, () => {
      const validate = ajv.compile(schema ?? {});
      expect(validate(value), ajv.errorsText(validate.errors)).to.equal(true);
    });
  }

  it('are named once in their scope', () => {
    const names = defaultSettings.map(({ scope, name }) => `${scope}.${name}`);
    expect(new Set(names).size).to.equal(names.length);
  });

  it('take any number of seconds for a time limit', () => {
    const [limit] = defaultSettings.filter(({ name }) => name === 's3_client_timeout');
    const validate = ajv.compile(limit?.schema ?? {});
    expect([validate(7.5), validate(-1), validate('soon')]).to.deep.equal([true, false, false]);
  });
});
