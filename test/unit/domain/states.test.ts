import { expect } from 'chai';
import type { Transition } from '../../../src/domain/states.ts';
import {
  blueprintStates,
  blueprintTransitions,
  executionStatuses,
  executionTransitions,
  isExecutionEnded,
  isOperationTerminal,
  operationStates,
  operationTransitions,
  sourcesOf,
} from '../../../src/domain/states.ts';

const tables: [string, readonly string[], readonly Transition<string>[], readonly string[]][] = [
  ['execution', executionStatuses, executionTransitions, ['scheduled', 'queued', 'pending']],
  ['operation', operationStates, operationTransitions, ['pending']],
  ['blueprint', blueprintStates, blueprintTransitions, ['pending', 'uploading', 'validating']],
];

describe('state tables', () => {
  for (const [name, states, transitions, initial] of tables) {
    it(`${name}: every state can be reached from an initial one`, () => {
      const reached = new Set(initial);
      let grown = true;
      while (grown) {
        grown = false;
        for (const { from, to } of transitions) {
          if (!reached.has(to) && from.some((state) => reached.has(state))) {
            reached.add(to);
            grown = true;
          }
        }
      }
      expect([...reached].sort()).to.deep.equal([...states].sort());
    });
    it(`${name}: an event leads to one state only`, () => {
      const events = transitions.map(({ event }) => event);
      expect(new Set(events).size).to.equal(events.length);
    });
  }

  it('an ended execution is left by resuming alone', () => {
    const leaving = executionTransitions.filter(({ from }) => from.some(isExecutionEnded)).map(({ event }) => event);
    expect(leaving).to.deep.equal(['resume', 'queue-resume']);
  });

  it('a succeeded operation is never left', () => {
    expect(operationTransitions.some(({ from }) => from.includes('succeeded'))).to.equal(false);
    expect(isOperationTerminal('succeeded')).to.equal(true);
    expect(isOperationTerminal('response-sent')).to.equal(false);
  });

  it('tells the sources of an event and refuses an unknown one', () => {
    expect(sourcesOf(executionTransitions, 'due')).to.include({ to: 'queued' });
    expect(() => sourcesOf(executionTransitions, 'nonsense')).to.throw('No such transition: nonsense');
  });
});
