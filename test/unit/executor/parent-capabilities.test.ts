import { expect } from 'chai';
import { checkParentCapabilities } from '../../../src/executor/system/parent-capabilities.ts';

const parent = {
  storageId: 1,
  id: 'env',
  displayName: 'Environment',
  capabilities: { a: { value: 'x' }, b: { value: [{ c: 1 }] } },
};

describe('required capabilities of the environment', () => {
  it('are fine when the first parent offers them', () => {
    expect(() => checkParentCapabilities([parent], [['a'], ['b', 0, 'c']])).not.to.throw();
    expect(() => checkParentCapabilities([], [])).not.to.throw();
  });

  it('need an environment', () => {
    expect(() => checkParentCapabilities([], [['a'], ['b', 0]])).to.throw(
      'Environment not found, but environment capabilities are required: a, b.0',
    );
  });

  it('are named when they are missing', () => {
    expect(() => checkParentCapabilities([parent], [['a'], ['d'], ['b', 1]])).to.throw(
      'Environment Environment (env) does not have the required capabilities: d, b.1',
    );
  });
});
