import { expect } from 'chai';
import { FakeHost } from './support/fake-host.ts';
import { resultOf, scriptRequest, startRuntime } from './support/operations.ts';
import type { TestRuntime } from './support/operations.ts';

describe('smoke', () => {
  let test: TestRuntime;
  before(async () => {
    test = await startRuntime();
  });
  after(() => test.stop());

  it('runs', async () => {
    const host = new FakeHost().addNode('web', { port: 80 });
    host.resources.set(
      'a.sh',
      '#!/bin/bash\necho hi $who\nctx logger info "grüße $(ctx node properties port)"\nctx instance runtime-properties a.b 5\nctx returns "$(ctx instance runtime-properties a)"\n',
    );
    const outcome = await test.runtime.run(scriptRequest({ script_path: 'a.sh', who: 'you' }), host);
    console.log(JSON.stringify(outcome), host.text, host.properties('web_1'));
    resultOf(outcome);
    expect(1).to.equal(1);
  });
});
