import { expect } from 'chai';
import { cfyCommands, untried } from '../../compat/commands/all.ts';
import { differingCommands } from '../../compat/commands/differences.ts';
import { outdatedPages } from '../../tools/generate-docs.ts';

describe('generated documentation', () => {
  it('says what the tables in the code say (else run `npm run docs`)', async () => {
    expect(await outdatedPages(new URL('../../../', import.meta.url))).to.deep.equal([]);
  });

  it('tells differences, and what is not tried, of commands only that cfy has', () => {
    const isCommand = (name: string): boolean =>
      name.endsWith(' *')
        ? cfyCommands.some((command) => command.startsWith(name.slice(0, -1)))
        : cfyCommands.includes(name);
    expect([...differingCommands, ...Object.keys(untried)].filter((name) => !isCommand(name))).to.deep.equal([]);
  });
});
