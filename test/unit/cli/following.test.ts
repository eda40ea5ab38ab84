import { expect } from 'chai';
import { CommandLine } from '../../kit/command-line.ts';
import { listAnswer } from '../../kit/fake-manager.ts';

const started = { id: 'x', workflow_id: 'install', status: 'started', status_display: 'started' };

describe('following', () => {
  let line: CommandLine;

  beforeEach(async () => {
    line = await CommandLine.open();
  });

  afterEach(async () => {
    await line.close();
  });

  const commands: { title: string; words: string[] }[] = [
    { title: 'what was started', words: ['executions', 'start', 'install', '-d', 'web', '--follow'] },
    { title: 'what was resumed', words: ['executions', 'resume', 'x', '--follow'] },
    { title: 'an execution', words: ['executions', 'follow', 'x'] },
    { title: 'the events of an execution', words: ['events', 'x', '--follow'] },
  ];
  for (const { title, words } of commands) {
    it(`${title} ends with Ctrl-C, lets it run, and says how to come back and how to cancel`, async () => {
      const interruption = new AbortController();
      const { seen } = await line.answer(({ method, path }) => {
        if (path.endsWith('/events')) {
          interruption.abort(new DOMException('Interrupted', 'AbortError'));
          return listAnswer([]);
        }
        return method === 'POST' || path.endsWith('/executions/x') ? { body: started } : undefined;
      });
      const { code, errors } = await line.run(words, { signal: interruption.signal });
      expect(code).to.equal(130);
      expect(errors).to.equal(
        'Execution x continues on the manager\n' +
          '  Follow it again: gantry executions follow x\n' +
          '  Cancel it: gantry executions cancel x\n',
      );
      expect(seen.filter(({ body }) => String(body).includes('cancel'))).to.deep.equal([]);
    });
  }

  it('a group ends with Ctrl-C, and says how to come back and how to cancel', async () => {
    const interruption = new AbortController();
    const group = { id: 'g', workflow_id: 'install', status: 'started', execution_ids: ['x'] };
    await line.answer(({ path }) => {
      if (path.endsWith('/stream')) {
        interruption.abort(new DOMException('Interrupted', 'AbortError'));
        return 'hang up';
      }
      return { body: group };
    });
    const { code, errors } = await line.run(['executions', 'groups', 'follow', 'g'], { signal: interruption.signal });
    expect(code).to.equal(130);
    expect(errors).to.contain('gantry executions groups follow g').and.contain('gantry executions groups cancel g');
  });
});
